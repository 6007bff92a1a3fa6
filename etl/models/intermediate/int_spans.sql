-- grain: one row per observation of a touched trace, with the columns that place it in its tree
-- key: span_key
-- source: stg.observations, int_touched
select
    touched.trace_key,
    observation.span_key,
    observation.observation_id,
    observation.parent_observation_id,
    observation.is_top,
    observation.is_flagged_root,
    observation.is_synthetic,
    observation.type,
    observation.level = 'ERROR' as is_error,
    observation.start_time,
    observation.end_time,
    observation.updated_at
from stg.observations as observation
inner join int_touched as touched using (project_id, trace_id)
