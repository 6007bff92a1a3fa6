-- The level of each feature day by day. Grain: (name, day of the display zone); the busiest names of the selection.
-- Reads `selected`: traces. latency_p50_ms and trace_cost_p50_usd are medians, success_rate a share; traces counts them.
-- $changes and $offsets are the zone's clock; names is how many names there are.
with days as (
    select
        coalesce(name, '(none)') as name,
        date_trunc('day', start_time + to_seconds(
            $offsets[1 + len(list_filter($changes::timestamp[], lambda c: c <= start_time))]
        ))::date as day,
        count(*) as n,
        quantile_cont(latency_ms, 0.5) as latency_p50_ms,
        count_if(not is_error) / count(*) as success_rate,
        quantile_cont(cost_usd, 0.5) as trace_cost_p50_usd
    from selected
    group by all
),

ranked as (
    select name, count(*) over () as names
    from days
    group by name
    order by sum(n) desc, name
    limit $limit
)

select d.*, r.names
from days as d
join ranked as r using (name)
order by d.name, d.day
