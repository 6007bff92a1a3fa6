-- grain: one row per record of a page's "data", as JSON
-- read_rank: order of reading over the whole batch, later is greater
-- A page that is not JSON, or has no list in "data", gives no row here.
create or replace temp table records as
with lists as (
    select page, try(json_extract(body, '$.data[*]')) as items from pages
)

select page * 1000000 + generate_subscripts(items, 1) as read_rank, unnest(items) as record
from lists
