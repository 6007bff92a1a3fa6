-- How unevenly the cost lies. Grain: a hundredth of the units, cheapest first, with what they hold together.
-- Reads `selected`: observations that the filters pick. $unit: trace, session or user. share: 0 to 1 of the cost.
with units as (
    select sum(cost_usd) as cost_usd
    from selected
    where cost_usd is not null
    group by
        project_id,
        case $unit when 'trace' then trace_id when 'session' then session_id else user_id end
    having case $unit
        when 'trace' then any_value(trace_id) when 'session' then any_value(session_id) else any_value(user_id)
    end is not null
),

placed as (
    select
        sum(cost_usd) over (order by cost_usd, rowid_ rows unbounded preceding) as running,
        sum(cost_usd) over () as total,
        rowid_ as place,
        count(*) over () as n
    from (select cost_usd, row_number() over (order by cost_usd) as rowid_ from units)
)

select
    h as hundredth,
    any_value(n)::bigint as units,
    coalesce(max(running / nullif(total, 0)) filter (place <= ceil(n * h / 100.0)), 0)::double as share,
    any_value(total)::double as cost_usd
from placed, (select unnest(range(101)) as h)
group by h
order by h
