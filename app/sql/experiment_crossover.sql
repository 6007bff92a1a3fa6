-- Units that could show two arms, by their number of draws. Grain: (kind, draws). Reads `arms`, as experiment_exposure.
-- kind: user_traces (users, a draw per trace), user_sessions (users, a draw per session: its first trace's arm),
-- session_traces (sessions, a draw per trace). crossed: units of that many draws that show more than one arm.
with sessions as (
    select
        project_id, user_id, session_id, count(*) as draws, min(shown[1]) as least, max(shown[1]) as most
    from arms
    where len(shown) = 1 and (user_id is not null or session_id is not null)
    group by project_id, user_id, session_id
),

users as (
    select
        sum(draws) as draws, count(session_id) as sessions, min(least) <> max(most) as is_crossed,
        min(least) filter (session_id is not null) <> max(most) filter (session_id is not null) as is_crossed_in_sessions
    from sessions
    where user_id is not null
    group by project_id, user_id
),

units as (
    select 'user_traces' as kind, draws, is_crossed
    from users
    union all
    select 'user_sessions', sessions, is_crossed_in_sessions
    from users
    where sessions > 0
    union all
    select 'session_traces', sum(draws), min(least) <> max(most)
    from sessions
    where session_id is not null
    group by project_id, session_id
)

select kind, draws::bigint as draws, count(*) as units, count(*) filter (is_crossed) as crossed
from units
where draws > 1
group by kind, draws
order by kind, draws
