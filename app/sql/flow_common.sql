-- What sessions hold, from which turn on, how far they went, and whether they were resolved in the end.
-- Grain: (trigger, value, entry, from_turn, last_turn, is_case): `trigger` is step, tool, model or topic, null for all
-- sessions; is_case: resolved. Reads `selected`, `risk`: only sessions with a known outcome count. A turn that is itself an
-- escalation (delay) is not counted as reached, and what told of an escalation is not listed: it would say so by its name.
with known as (
    select
        r.project_id, r.session_id, r.entry, s.outcome = 'resolved' as is_case, s.path, s.topic_id,
        r.last_turn - (case when r.is_case then r.delay else 0 end) as last_turn
    from risk as r
    inner join selected as s using (project_id, session_id)
    where s.outcome in ('resolved', 'escalated', 'abandoned')
),

told as (
    select distinct split_part(outcome_reason, ' ', 1) as kind, outcome_reason[len(split_part(outcome_reason, ' ', 1)) + 2:] as name
    from selected
    where outcome = 'escalated'
),

turns as (
    select t.project_id, t.session_id, t.trace_id, t.turn_index, t.models
    from marts.traces as t
    semi join known using (project_id, session_id)
    where t.start_time >= $start
),

legs as (
    select project_id, session_id, path, unnest(range(1, len(path) + 1)) as place from known
),

timed as (
    select
        project_id, session_id,
        regexp_replace(path[place], ' x\d+$', '') as step,
        coalesce(try_cast(nullif(regexp_extract(path[place], ' x(\d+)$', 1), '') as integer), 1) as times,
        sum(times) over (partition by project_id, session_id order by place) - times + 1 as turn
    from legs
),

held as (
    select project_id, session_id, 'step' as trigger, step as value, turn as from_turn
    from timed
    where step not in (select name from told where kind = 'trace')
    union all
    select project_id, session_id, 'model', unnest(models), turn_index from turns
    union all
    select t.project_id, t.session_id, 'tool', o.tool_name, t.turn_index
    from marts.observations as o
    inner join turns as t on t.project_id = o.project_id and t.trace_id = o.trace_id
    where o.type = 'TOOL' and o.tool_name is not null and o.start_time >= $start
        and o.tool_name not in (select name from told where kind = 'tool')
    union all
    select k.project_id, k.session_id, 'topic', coalesce(t.label, k.topic_id), 1
    from known as k
    left join (select topic_id, any_value(label) as label from marts.topics group by topic_id) as t on t.topic_id = k.topic_id
    where k.topic_id is not null
),

first_time as (
    select project_id, session_id, trigger, value, min(from_turn)::integer as from_turn
    from held
    where value is not null
    group by project_id, session_id, trigger, value
)

select f.trigger, f.value, k.entry, f.from_turn, k.last_turn, k.is_case, count(*) as sessions
from first_time as f
inner join known as k using (project_id, session_id)
where f.from_turn <= k.last_turn
group by all
union all
select null, null, entry, 1, last_turn, is_case, count(*)
from known
where last_turn > 0
group by all
order by trigger, value, entry, from_turn, last_turn, is_case
