-- When each escalated session was escalated: its first signal of the kind that decided. Grain: (project_id, session_id).
-- Reads `selected`: sessions with all their columns. Times UTC. A tool and a trace that are named for an escalation count
-- from their start, a tag from its trace's end, a score from when it was given; without any of them, the session's end.
-- $start is not after the first of these sessions: nothing earlier is about them.
with reasons as (
    select
        project_id, session_id, end_time,
        split_part(outcome_reason, ' ', 1) as kind,
        case
            when starts_with(outcome_reason, 'score ') then regexp_replace(outcome_reason[7:], ' is true$', '')
            else outcome_reason[len(split_part(outcome_reason, ' ', 1)) + 2:]
        end as name
    from selected
    where outcome = 'escalated'
),

signals as (
    select r.project_id, r.session_id, o.start_time as moment
    from reasons as r
    inner join marts.observations as o using (project_id, session_id)
    where r.kind = 'tool' and o.type = 'TOOL' and o.tool_name = r.name and o.start_time >= $start
    union all
    select r.project_id, r.session_id, case when r.kind = 'trace' then t.start_time else t.end_time end
    from reasons as r
    inner join marts.traces as t using (project_id, session_id)
    where t.start_time >= $start and ((r.kind = 'trace' and t.name = r.name) or (r.kind = 'tag' and list_contains(t.tags, r.name)))
    union all
    select r.project_id, r.session_id, c.scored_at
    from reasons as r
    inner join marts.scores as c on c.project_id = r.project_id and c.name = r.name and c.value = 1
        and c.scored_at >= $start
    left join marts.traces as t on t.project_id = c.project_id and t.trace_id = c.trace_id and t.start_time >= $start
    where r.kind = 'score' and r.session_id = coalesce(t.session_id, c.session_id)
)

select r.project_id, r.session_id, coalesce(min(s.moment), any_value(r.end_time)) as moment
from reasons as r
left join signals as s using (project_id, session_id)
group by r.project_id, r.session_id
