-- One row per metadata key and family of tags (text before the first colon) of the latest 20,000 traces, most frequent
-- first, at most 200. name: as a dimension of the metrics layer.
with latest as (
    select metadata, tags
    from marts.traces
    order by start_time desc
    limit 20000
),

named as (
    select 'metadata.' || unnest(json_keys(metadata)) as name
    from latest
    where json_type(metadata) = 'OBJECT'
    union all
    select 'tag:' || split_part(tag, ':', 1) || ':*' as name
    from (select unnest(tags) as tag from latest)
    where contains(tag, ':') and not starts_with(tag, ':')
)

select name
from named
where name not in ('metadata.', 'tag::*')
group by name
order by count(*) desc, name
limit 200
