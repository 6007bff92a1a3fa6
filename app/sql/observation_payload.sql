-- What one observation received and returned, as text. Grain: one row per observation.
-- Times spare the engine all blocks of rows but a few: ids are in no order.
with span as (
    select start_time as since, end_time as until
    from marts.traces
    where project_id = $project_id and trace_id = $trace_id
)

select input, output
from raw.observations
where deleted_at is null
    and project_id = $project_id and trace_id = $trace_id and observation_id = $observation_id
    and start_time between (select since from span) and (select until from span)
