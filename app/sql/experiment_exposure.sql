-- How traffic fell into the arms. Grain: arm. Reads `arms`: (project_id, trace_id, arm), a row per arm that a trace shows.
-- Traces that show two arms are counted in traces_in_two and nowhere else. Times UTC; days are UTC days with traffic.
with single as (
    select project_id, trace_id, min(arm) as arm, count(distinct arm) as shown
    from arms
    group by project_id, trace_id
),

exposed as (
    select t.project_id, t.trace_id, s.arm, s.shown, t.user_id, t.session_id, t.start_time
    from single as s
    join marts.traces as t using (project_id, trace_id)
)

select
    arm,
    count(*) filter (shown = 1) as traces,
    count(distinct (project_id, session_id)) filter (shown = 1 and session_id is not null) as sessions,
    count(distinct (project_id, user_id)) filter (shown = 1 and user_id is not null) as users,
    count(*) filter (shown = 1 and user_id is null) as traces_without_user,
    count(*) filter (shown = 1 and session_id is null) as traces_without_session,
    count(*) filter (shown > 1) as traces_in_two,
    min(start_time) filter (shown = 1) as first_seen,
    max(start_time) filter (shown = 1) as last_seen,
    list(distinct start_time::date) filter (shown = 1) as days
from exposed
group by arm
order by arm
