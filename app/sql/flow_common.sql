-- What sessions hold, from which turn on, how far they went and how they ended. Sessions counted; grain: (trigger, value,
-- entry, from_turn, last_turn, ending): `trigger` is step, tool, model or topic, null for all sessions; ending: resolved,
-- escalated, abandoned or other. Reads `selected`, `risk`. A step counts in its own turn, a tool and a model from the next
-- turn on: in the turn in which a user leaves they are missing because the user left. So from_turn may lie behind last_turn.
-- An escalated session is seen until its escalation, without a turn that is one itself (delay), and what told of it is not
-- listed: it would say so by its name.
with seen as (
    select
        r.project_id, r.session_id, r.entry, s.path, s.topic_id,
        r.last_turn - case when r.is_case then r.delay else 0 end as last_turn,
        case when s.outcome in ('resolved', 'escalated', 'abandoned') then s.outcome else 'other' end as ending
    from risk as r
    inner join selected as s using (project_id, session_id)
),

told as (
    select distinct split_part(outcome_reason, ' ', 1) as kind, outcome_reason[len(split_part(outcome_reason, ' ', 1)) + 2:] as name
    from selected
    where outcome = 'escalated'
),

turns as (
    select t.project_id, t.session_id, t.trace_id, t.turn_index, t.models
    from marts.traces as t
    semi join seen using (project_id, session_id)
    where t.start_time >= $start
),

legs as (
    select project_id, session_id, path, unnest(range(1, len(path) + 1)) as place from seen
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
    from seen as k
    left join (select topic_id, any_value(label) as label from marts.topics group by topic_id) as t on t.topic_id = k.topic_id
    where k.topic_id is not null
),

first_time as (
    select project_id, session_id, trigger, value, min(from_turn)::integer as from_turn
    from held
    where value is not null
    group by project_id, session_id, trigger, value
)

select
    f.trigger, f.value, k.entry, k.last_turn, k.ending,
    f.from_turn + (f.trigger in ('tool', 'model'))::integer as from_turn,
    count(*) as sessions
from first_time as f
inner join seen as k using (project_id, session_id)
where f.from_turn <= k.last_turn
group by all
union all
select null, null, entry, last_turn, ending, 1, count(*)
from seen
where last_turn > 0
group by all
order by trigger, value, entry, from_turn, last_turn, ending
