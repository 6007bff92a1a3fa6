-- What else one observation says. Grain: one row per observation. Open maps and JSON as text.
-- $start is its start_time: the key alone would read every row of the mart.
select
    model_raw, provider, version, environment, tags, created_at, updated_at,
    metadata::varchar as metadata,
    model_parameters::varchar as model_parameters,
    to_json(usage_details)::varchar as usage_details,
    to_json(cost_details)::varchar as cost_details
from marts.observations
where project_id = $project_id and trace_id = $trace_id and observation_id = $observation_id and start_time = $start
