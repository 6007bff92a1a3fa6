-- grain: one row per observation
-- key: project_id, trace_id, observation_id
-- source: raw.observations. A view: payloads are stored once.
select project_id, trace_id, observation_id, input, output
from raw.observations
where deleted_at is null
