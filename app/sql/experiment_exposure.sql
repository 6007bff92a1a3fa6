-- How traffic fell into the arms. Grain: arm. Reads `arms`: traces with the arms that they show.
-- Traces that show two arms are counted in traces_in_two, under the first of them, and nowhere else. Times UTC; days are
-- UTC days with traffic.
with exposed as (
    select project_id, trace_id, user_id, session_id, start_time, list_min(shown) as arm, len(shown) as shown
    from arms
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
