-- grain: one row per touched session
-- key: project_id, session_id
-- How its last turn went; times in UTC.
-- source: int_session_traces, int_unanswered_sessions
with lasts as (
    select project_id, session_id, max(end_time) as end_time, arg_max(is_failed, turn_index) as is_last_failed
    from int_session_traces
    group by all
)

select lasts.*, unanswered.session_id is not null as is_unanswered
from lasts
left join int_unanswered_sessions as unanswered
    on unanswered.project_id = lasts.project_id and unanswered.session_id = lasts.session_id
