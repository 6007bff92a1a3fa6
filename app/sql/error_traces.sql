-- Traces that one group struck, newest first. Grain: (project_id, trace_id). Times UTC, durations ms, cost USD.
-- Reads `selected`: (project_id, trace_id, observation_id). step is where it broke, followed_by whether the same session went on.
with struck as (
    select
        o.project_id, o.trace_id,
        count(*) as occurrences,
        first(coalesce(o.tool_name, o.name) order by o.start_time) as step,
        first(left(o.status_message, 300) order by o.start_time) as message
    from marts.observations as o
    semi join selected using (project_id, trace_id, observation_id)
    where o.error_group_id = $group and o.is_error and not o.is_propagated
    group by o.project_id, o.trace_id
)

select
    t.project_id, t.trace_id, t.start_time, t.name, s.step, s.message, s.occurrences, t.is_failed, t.session_id,
    t.user_id, t.release, t.latency_ms, t.cost_usd,
    count(*) over () as total
from struck as s
join marts.traces as t using (project_id, trace_id)
order by t.start_time desc, t.trace_id
limit $limit
