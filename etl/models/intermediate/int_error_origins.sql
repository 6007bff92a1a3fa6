-- grain: one row per occurrence of an error: an ERROR with none below it
-- key: project_id, trace_id, observation_id
-- days_ago: whole 24 hours before as_of; 0 is the last day. struck_id: whom it struck, a session or else the trace, so that
-- one conversation or one loop that fails again and again counts once.
-- source: marts.observations, int_settings
select
    observation.project_id,
    observation.error_group_id,
    observation.trace_id,
    observation.observation_id,
    observation.session_id,
    observation.user_id,
    observation.name,
    observation.type,
    observation.status_message,
    observation.start_time,
    coalesce('s' || observation.session_id, 't' || observation.trace_id) as struck_id,
    greatest(0, floor(epoch_us(settings.as_of - observation.start_time) / 86400e6))::bigint as days_ago
from marts.observations as observation
cross join int_settings as settings
where observation.error_group_id is not null
