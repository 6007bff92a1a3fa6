-- Units that could show two arms, by their number of draws. Grain: (kind, draws). Reads `arms`, as experiment_exposure.
-- kind: user_traces (users, a draw per trace), user_sessions (users, a draw per session: its first trace's arm),
-- session_traces (sessions, a draw per trace). crossed: units of that many draws that show more than one arm.
with single as (
    select project_id, trace_id, min(arm) as arm
    from arms
    group by project_id, trace_id
    having count(distinct arm) = 1
),

exposed as (
    select t.project_id, t.user_id, t.session_id, t.start_time, s.arm
    from single as s
    join marts.traces as t using (project_id, trace_id)
),

units as (
    select 'user_traces' as kind, project_id, user_id as unit, count(*) as draws, count(distinct arm) as shown
    from exposed
    where user_id is not null
    group by project_id, user_id
    union all
    select 'user_sessions', project_id, user_id, count(distinct session_id), count(distinct arm)
    from exposed
    where user_id is not null and session_id is not null
    group by project_id, user_id
    union all
    select 'session_traces', project_id, session_id, count(*), count(distinct arm)
    from exposed
    where session_id is not null
    group by project_id, session_id
)

select kind, draws, count(*) as units, count(*) filter (shown > 1) as crossed
from units
where draws > 1
group by kind, draws
order by kind, draws
