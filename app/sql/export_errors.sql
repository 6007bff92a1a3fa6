-- Failures to take away, one row each time something broke. Grain: (project_id, trace_id, observation_id). Times UTC,
-- durations in seconds, cost in USD. An ERROR above the ERROR that caused it is no row of its own.
-- Reads `selected`: observations that the filters pick. state covers all history.
select
    o.error_group_id,
    g.error_class,
    g.title,
    g.state,
    o.status_message as message,
    o.start_time as timestamp,
    o.latency_ms / 1000 as latency,
    o.trace_id,
    o.observation_id,
    o.user_id,
    o.session_id,
    'error' as status,
    t.is_failed as is_trace_failed,
    o.type,
    o.name,
    o.tool_name,
    o.model,
    o.provider,
    o.trace_name,
    o.environment,
    o.release,
    o.version,
    o.tags,
    o.prompt_name,
    o.prompt_version,
    o.cost_usd as cost,
    o.project_id
from selected as o
left join marts.error_groups as g using (project_id, error_group_id)
left join marts.traces as t using (project_id, trace_id)
where o.is_error and not o.is_propagated
