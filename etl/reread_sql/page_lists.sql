-- grain: one row per landed page; items: the records of its "data", NULL for a page that can't be read
create or replace temp table page_lists as
select try(json_extract(try(decode(content)), '$.data[*]')) as items
from read_blob($paths)
