-- What one observation received and returned, as text. Grain: one row per observation.
select input, output
from marts.payloads
where project_id = $project_id and trace_id = $trace_id and observation_id = $observation_id
