-- Where people leave: each step with how often it was taken and how often the user left there. Grain: (step).
-- Reads `selected`: sessions with all their columns. turns: turns at the step, a repeated one counting each time;
-- sessions: sessions that came to it; abandoned: sessions abandoned at it. A path writes repeats as `step x3`.
with legs as (
    select project_id, session_id, unnest(path) as leg
    from selected
),

named as (
    select
        project_id, session_id,
        regexp_replace(leg, ' x\d+$', '') as step,
        coalesce(try_cast(nullif(regexp_extract(leg, ' x(\d+)$', 1), '') as integer), 1) as times
    from legs
),

taken as (
    select step, sum(times)::bigint as turns, count(distinct (project_id, session_id)) as sessions
    from named
    group by step
),

left_at as (
    select last_step as step, count(*) as abandoned
    from selected
    where outcome = 'abandoned'
    group by last_step
)

select t.step, t.turns, t.sessions, least(coalesce(l.abandoned, 0), t.turns) as abandoned
from taken as t
left join left_at as l using (step)
order by abandoned desc, t.turns desc, t.step
