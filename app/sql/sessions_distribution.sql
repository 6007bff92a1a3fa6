-- How one measure of the sessions is distributed. Grain: one row per bin. Reads `selected`: (project_id, session_id).
-- $measure is of the allow-list below; low and high are the bin's edges in the measure's own unit. Turns count singly,
-- 20 and more together in one bin (high is null); satisfaction goes in halves; time and money in fifths of a decade,
-- so that a heavy tail keeps its shape. Zeros of those two have no place on a logarithmic axis: low and high are 0.
with measured as (
    select
        case $measure
            when 'turns' then s.turns
            when 'duration_ms' then s.duration_ms
            when 'cost_usd' then s.cost_usd
            when 'satisfaction_mean' then s.satisfaction_mean
        end::double as value
    from marts.sessions as s
    semi join selected using (project_id, session_id)
),

placed as (
    select
        case
            when $measure = 'turns' then least(value, 20)
            when $measure = 'satisfaction_mean' then least(floor(value * 2) / 2, 4.5)
            when value <= 0 then 0
            else power(10, floor(log10(value) * 5) / 5)
        end as low,
        case
            when $measure = 'turns' then case when value < 20 then value + 1 end
            when $measure = 'satisfaction_mean' then least(floor(value * 2) / 2, 4.5) + 0.5
            when value <= 0 then 0
            else power(10, (floor(log10(value) * 5) + 1) / 5)
        end as high
    from measured
    where value is not null
)

select low, high, count(*) as count
from placed
group by low, high
order by low
