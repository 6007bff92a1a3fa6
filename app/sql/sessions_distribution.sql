-- How each measure of the sessions is spread. Grain: (measure, low). Reads `selected`: sessions.
-- low and high are the bin's edges in the measure's own unit, low included. Turns count singly, 20 and more together
-- (high is null); satisfaction goes in halves, or in tenths where no score is above 1; time and money in fifths of a
-- decade between $edges (rising; from the greatest on is one bin), so that a heavy tail keeps its shape. Zeros of those
-- two have no place on a logarithmic axis: low and high are 0. One row per measure, low null, counts those without it.
with measured as (
    select 'turns' as measure, turns::double as value from selected
    union all
    select 'duration_ms', duration_ms from selected
    union all
    select 'cost_usd', cost_usd from selected
    union all
    select 'satisfaction_mean', satisfaction_mean from selected
),

scaled as (
    select
        *,
        if(max(value) filter (measure = 'satisfaction_mean') over () <= 1, 10, 2) as per_point,
        -- the logarithm says nearly which bin; the edges themselves decide, so that a filter by them finds the same rows
        case when value > 0 then greatest(1, least(len($edges::double[]), floor(log10(value) * 5)::bigint + $one)) end as near
    from measured
),

binned as (
    select
        *,
        case
            when near > 1 and value < ($edges::double[])[near] then near - 1
            when near < len($edges::double[]) and value >= ($edges::double[])[near + 1] then near + 1
            else near
        end as bin
    from scaled
),

placed as (
    select
        measure,
        case
            when value is null then null
            when measure = 'turns' then least(value, 20)
            when measure = 'satisfaction_mean' then floor(round(value * per_point, 9)) / per_point
            when value <= 0 then 0
            else ($edges::double[])[bin]
        end as low,
        case
            when value is null then null
            when measure = 'turns' then case when value < 20 then value + 1 end
            when measure = 'satisfaction_mean' then (floor(round(value * per_point, 9)) + 1) / per_point
            when value <= 0 then 0
            else ($edges::double[])[bin + 1]
        end as high
    from binned
)

select measure, low, high, count(*) as count
from placed
group by all
order by measure, low nulls first
