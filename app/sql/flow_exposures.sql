-- What happened in sessions before they were escalated, and until when in the others. Grain: (session, trigger, value).
-- Reads `selected` and `risk`. turn: in which it happened first. from_turn: the first turn in which it counts. An error and a
-- failed tool count in their own turn, or after its `delay`; a slow or failed turn, a repeat and a low score (by its name)
-- from the next turn on. What came after the escalation is left out.
with turns as (
    select
        r.project_id, r.session_id, r.moment, r.delay, t.trace_id, t.turn_index, t.start_time, t.end_time,
        t.is_failed,
        t.latency_ms > quantile_cont(t.latency_ms, 0.95) over (partition by t.name) as is_slow
    from risk as r
    inner join marts.traces as t using (project_id, session_id)
    where t.start_time >= $start
),

failures as (
    select
        t.project_id, t.session_id, t.turn_index as turn, t.turn_index + t.delay as from_turn,
        o.type = 'TOOL' as is_tool, o.tool_name
    from marts.observations as o
    inner join turns as t on t.project_id = o.project_id and t.trace_id = o.trace_id
    where o.is_error and not o.is_propagated and o.start_time >= $start
        and (t.moment is null or coalesce(o.end_time, o.start_time) <= t.moment)
),

legs as (
    select s.project_id, s.session_id, s.path, unnest(range(1, len(s.path) + 1)) as place
    from selected as s
    where s.turns > 1
),

repeats as (
    select
        project_id, session_id, path[place] as leg,
        coalesce(try_cast(nullif(regexp_extract(path[place], ' x(\d+)$', 1), '') as integer), 1) as times,
        sum(times) over (partition by project_id, session_id order by place) - times + 2 as turn
    from legs
),

happened as (
    select project_id, session_id, 'error' as trigger, '' as value, turn, from_turn from failures
    union all
    select project_id, session_id, 'failed tool', '', turn, from_turn from failures where is_tool
    union all
    select project_id, session_id, 'failed tool', tool_name, turn, from_turn from failures where is_tool and tool_name is not null
    union all
    select project_id, session_id, 'slow turn', '', turn_index, turn_index + 1 from turns
    where is_slow and (moment is null or end_time <= moment)
    union all
    select project_id, session_id, 'unanswered turn', '', turn_index, turn_index + 1 from turns
    where is_failed and (moment is null or end_time <= moment)
    union all
    select project_id, session_id, 'repeated step', '', turn, turn + 1
    from repeats where regexp_matches(leg, ' x\d+$')
    union all
    select t.project_id, t.session_id, 'low score', c.name, any_value(t.turn_index), max(later.turn_index) + 1
    from marts.scores as c
    inner join turns as t on t.project_id = c.project_id and t.trace_id = c.trace_id
    inner join turns as later on later.project_id = t.project_id and later.session_id = t.session_id
    where c.scored_at >= $start and c.value_normalised <= $low_score and c.data_type = 'NUMERIC'
        and (t.moment is null or c.scored_at <= t.moment) and later.start_time <= c.scored_at
    group by t.project_id, t.session_id, c.name, c.score_id
)

select
    h.project_id, h.session_id, h.trigger, h.value,
    min(h.from_turn)::integer as from_turn, arg_min(h.turn, (h.from_turn, h.turn))::integer as turn
from happened as h
inner join risk as r using (project_id, session_id)
where h.from_turn <= r.last_turn
group by h.project_id, h.session_id, h.trigger, h.value
