-- The tools that one turn called, earliest first. Grain: one row per TOOL observation. Latency ms; texts cut at $longest.
-- Times spare the engine all blocks of rows but a few: ids are in no order.
with span as (
    select start_time as since, end_time as until
    from marts.traces
    where project_id = $project_id and trace_id = $trace_id
),

called as (
    select project_id, trace_id, observation_id, coalesce(tool_name, name) as name, start_time, latency_ms, is_error,
        status_message
    from marts.observations
    where project_id = $project_id and trace_id = $trace_id and type = 'TOOL'
        and start_time between (select since from span) and (select until from span)
)

select c.observation_id, c.name, c.latency_ms, c.is_error, c.status_message,
    left(p.input, $longest) as input, left(p.output, $longest) as output
from called as c
left join (select * from raw.observations where deleted_at is null) as p
    using (project_id, trace_id, observation_id, start_time)
order by c.start_time, c.observation_id
