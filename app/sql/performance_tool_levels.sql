-- The level of each tool day by day. Grain: (name, day of the display zone); the busiest tools of the selection.
-- Reads `selected`: observations. latency_p50_ms is a median, success_rate the share of calls without ERROR; n counts calls.
-- $changes and $offsets are the zone's clock; names is how many tools there are.
with days as (
    select
        tool_name as name,
        date_trunc('day', start_time + to_seconds(
            $offsets[1 + len(list_filter($changes::timestamp[], lambda c: c <= start_time))]
        ))::date as day,
        count(*) as n,
        quantile_cont(latency_ms, 0.5) as latency_p50_ms,
        count_if(not is_error) / count(*) as success_rate
    from selected
    where type = 'TOOL' and tool_name is not null
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
