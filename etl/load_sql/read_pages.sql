-- grain: one row per landed page of the batch, numbered in the order of reading
-- body: NULL when the bytes are not UTF-8
create or replace temp table pages as
select list_position($paths, filename) as page, try(decode(content)) as body
from read_blob($paths)
