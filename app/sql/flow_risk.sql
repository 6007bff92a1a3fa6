-- How far each session is looked at for an escalation, and how it began. Grain: (project_id, session_id).
-- Reads `selected` and `moments`. last_turn: the turn in which it was escalated, else its last; moment is null then.
-- entry: its first step, when that is among the 20 commonest, else empty. delay: 0 where escalations of that entry come
-- within an ordinary turn, 1 where they are turns of their own, told by a name that others rarely have: what happens in
-- such a turn has no counterpart in other sessions, so that only the turns before are compared.
with begun as (
    select project_id, session_id, turns, regexp_replace(path[1], ' x\d+$', '') as step
    from selected
    where turns > 0
),

entries as (
    select step as entry from begun where step is not null group by step order by count(*) desc, step limit 20
),

turns as (
    select
        t.project_id, t.session_id, t.name, t.turn_index,
        m.moment is not null as is_case,
        m.moment is not null and t.turn_index = max(t.turn_index) filter (t.start_time <= m.moment)
            over (partition by t.project_id, t.session_id) as is_last
    from marts.traces as t
    semi join selected as s on s.project_id = t.project_id and s.session_id = t.session_id
    left join moments as m on m.project_id = t.project_id and m.session_id = t.session_id
    where t.start_time >= $start
),

ordinary as (
    select name, count_if(not is_case) > count_if(is_last) as is_ordinary from turns group by name
),

placed as (
    select
        b.project_id, b.session_id, coalesce(e.entry, '') as entry, m.moment,
        case when m.moment is null then b.turns else greatest(1, coalesce(l.turn_index, 1)) end::integer as last_turn,
        o.is_ordinary
    from begun as b
    left join entries as e on e.entry = b.step
    left join moments as m using (project_id, session_id)
    left join (select * from turns where is_last) as l using (project_id, session_id)
    left join ordinary as o on o.name = l.name
)

select
    project_id, session_id, entry, moment, last_turn,
    moment is not null as is_case,
    case when avg(is_ordinary::integer) over (partition by entry) < 0.5 then 1 else 0 end as delay
from placed
