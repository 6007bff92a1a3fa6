-- Experiments that the traffic names itself by a tag `ab_test:<name>`. Grain: (name). Times UTC.
-- arms are the tags `variant_*` seen together with it, in their order.
with tested as (
    select
        start_time,
        list_filter(tags, lambda x: starts_with(x, 'ab_test:') and len(x) > len('ab_test:')) as tests,
        list_filter(tags, lambda x: starts_with(x, 'variant_')) as arms
    from marts.traces
    where ($project is null or project_id = $project) and len(tags) > 1
),

-- Few combinations of tags stand for many traces.
combined as (
    select tests, arms, count(*) as traces, min(start_time) as first_seen, max(start_time) as last_seen
    from tested
    where len(tests) > 0 and len(arms) > 0
    group by tests, arms
),

named as (
    select substr(unnest(tests), len('ab_test:') + 1) as name, arms, traces, first_seen, last_seen
    from combined
)

select
    name,
    sum(traces)::bigint as traces,
    min(first_seen) as first_seen,
    max(last_seen) as last_seen,
    list_sort(list_distinct(flatten(list(arms)))) as arms
from named
group by name
having len(list_distinct(flatten(list(arms)))) > 1
order by max(last_seen) desc, name
limit 50
