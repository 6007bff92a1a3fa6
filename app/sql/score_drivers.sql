-- A score beside what its trace (or session) took. Grain: score. Reads `judged` (score_judged.sql), one label at most.
-- $measure: latency_ms, cost_usd or total_tokens; a session's latency is its duration. tenth: 1 to 10, by the measure.
with beside as (
    select
        j.x, j.project_id || ' ' || j.unit as unit,
        case $measure
            when 'latency_ms' then coalesce(t.latency_ms, c.duration_ms)
            when 'cost_usd' then coalesce(t.cost_usd, c.cost_usd)
            when 'total_tokens' then coalesce(t.total_tokens, c.total_tokens)
        end::double as measure
    from judged as j
    left join marts.traces as t on t.project_id = j.project_id and t.trace_id = j.trace_id
    left join marts.sessions as c on c.project_id = j.project_id and c.session_id = j.session_id and j.trace_id is null
)

select x, unit, measure, ntile(10) over (order by measure, x, unit) as tenth
from beside
where measure is not null
