-- Where people leave: each step with how often it was taken and how often the user left there, by how the session began.
-- Grain: (step, entry). Reads `selected`: sessions with all their columns. turns: turns at the step, a repeated one counting
-- each time; sessions: sessions that came to it; abandoned: sessions abandoned at it. A path writes repeats as `step x3`.
-- entry: the session's first step, when that is among the 20 commonest, else empty.
with begun as (
    select project_id, session_id, path, outcome, last_step, coalesce(regexp_replace(path[1], ' x\d+$', ''), '') as first_step
    from selected
),

entries as (
    select first_step from begun group by first_step order by count(*) desc, first_step limit 20
),

placed as (
    select b.*, coalesce(e.first_step, '') as entry
    from begun as b
    left join entries as e using (first_step)
),

legs as (
    select project_id, session_id, entry, unnest(path) as leg
    from placed
),

named as (
    select
        project_id, session_id, entry,
        regexp_replace(leg, ' x\d+$', '') as step,
        coalesce(try_cast(nullif(regexp_extract(leg, ' x(\d+)$', 1), '') as integer), 1) as times
    from legs
),

taken as (
    select step, entry, sum(times)::bigint as turns, count(distinct (project_id, session_id)) as sessions
    from named
    group by step, entry
),

left_at as (
    select last_step as step, entry, count(*) as abandoned
    from placed
    where outcome = 'abandoned'
    group by last_step, entry
)

select t.step, t.entry, t.turns, t.sessions, least(coalesce(l.abandoned, 0), t.turns) as abandoned
from taken as t
left join left_at as l using (step, entry)
order by t.step, t.entry
