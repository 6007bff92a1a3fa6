-- The tools that one turn called, earliest first. Grain: one row per TOOL observation. Latency ms; texts cut at $longest.
with called as (
    select project_id, trace_id, observation_id, coalesce(tool_name, name) as name, start_time, latency_ms, is_error,
        status_message
    from marts.observations
    where project_id = $project_id and trace_id = $trace_id and type = 'TOOL'
)

select c.observation_id, c.name, c.latency_ms, c.is_error, c.status_message,
    left(p.input, $longest) as input, left(p.output, $longest) as output
from called as c
left join marts.payloads as p
    on p.project_id = $project_id and p.trace_id = $trace_id and p.observation_id = c.observation_id
order by c.start_time, c.observation_id
