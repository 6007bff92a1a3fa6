-- Traces that one group struck, newest first. Grain: (project_id, trace_id). Times UTC, durations ms, cost USD.
-- Reads `selected`: observations that the filters pick. observation_id: where it broke first; step what that is called.
with struck as (
    select
        o.project_id, o.trace_id,
        count(*) as occurrences,
        arg_min(o.observation_id, (o.start_time, o.observation_id)) as observation_id,
        arg_min(coalesce(o.tool_name, o.name, lower(o.type)), (o.start_time, o.observation_id)) as step,
        arg_min(left(coalesce(o.status_message, ''), 300), (o.start_time, o.observation_id)) as message
    from selected as o
    where o.error_group_id = $group and o.is_error and not o.is_propagated
    group by o.project_id, o.trace_id
)

select
    t.project_id, t.trace_id, s.observation_id, t.start_time, t.name, s.step, s.message, s.occurrences, t.is_failed,
    t.session_id, t.user_id, t.release, t.latency_ms, t.cost_usd,
    count(*) over () as total
from struck as s
join marts.traces as t using (project_id, trace_id)
-- what a trace holds begins no more than 30 days after it
where t.start_time >= $start
order by t.start_time desc, t.trace_id
limit $limit
