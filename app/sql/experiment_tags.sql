-- Experiments that the traffic names itself by a tag `ab_test:<name>`. Grain: (name). Times UTC.
-- arms are the tags `variant_*` seen together with it, in their order.
with named as (
    select project_id, trace_id, start_time, tags, unnest(tags) as tag
    from marts.traces
    where $project is null or project_id = $project
),

tests as (
    select substr(tag, len('ab_test:') + 1) as name, trace_id, start_time, tags
    from named
    where starts_with(tag, 'ab_test:') and len(tag) > len('ab_test:')
),

shown as (select name, trace_id, start_time, unnest(tags) as tag from tests)

select
    name,
    count(distinct trace_id) as traces,
    min(start_time) as first_seen,
    max(start_time) as last_seen,
    list(distinct tag order by tag) as arms
from shown
where starts_with(tag, 'variant_')
group by name
having count(distinct tag) > 1
order by last_seen desc, name
limit 50
