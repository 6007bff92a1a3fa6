-- grain: one row per page that gave no record, with what is wrong with it; an empty list is nothing wrong
-- materialized: only these pages are parsed again, not all of them
with silent as materialized (
    select page, body from pages where page not in (select distinct read_rank // 1000000 from records)
),

judged as (
    select
        page,
        case when body is null or not json_valid(body) then 'the page is not JSON'
             when coalesce(json_type(try(json_extract(body, '$.data'))), '') <> 'ARRAY' then 'the page has no list of records'
        end as reason
    from silent
)

select page, reason from judged where reason is not null order by page
