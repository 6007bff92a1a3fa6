-- What happened after an error, and after a trace of sessions without it. Grain: (is_struck, next).
-- Reads `selected`: the traces that the filters pick; $start: of their window. One moment per session: the first trace that $group struck; in
-- sessions without it one trace of a name that it strikes, drawn by a hash.
-- next, the first that holds: escalated = the session ended with a human; open = no next trace yet, and too early to say;
-- left = it was the session's last trace; retried = the next trace has the same name and began within 10 minutes; went_on.
with struck as (
    select distinct project_id, trace_id
    from marts.observations
    where error_group_id = $group and is_error and not is_propagated and start_time >= $start
),

turns as (
    select
        t.project_id, t.session_id, t.trace_id, t.name, t.start_time, t.turn_index, struck.trace_id is not null as is_struck
    from selected as t
    left join struck using (project_id, trace_id)
    where t.session_id is not null
),

moments as (
    select
        project_id, session_id,
        bool_or(is_struck) as is_struck,
        unnest(coalesce(
            arg_min({'name': name, 'at': start_time, 'turn': turn_index}, (start_time, trace_id)) filter (is_struck),
            arg_min({'name': name, 'at': start_time, 'turn': turn_index}, md5(trace_id))
                filter (name in (select name from turns where is_struck))
        ))
    from turns
    group by project_id, session_id
)

select
    m.is_struck,
    case
        when s.outcome = 'escalated' then 'escalated'
        when n.trace_id is null and s.outcome = 'open' then 'open'
        when n.trace_id is null then 'left'
        when n.name is not distinct from m.name and n.start_time <= m.at + interval 10 minutes then 'retried'
        else 'went_on'
    end as next,
    count(*) as sessions
from moments as m
join marts.sessions as s using (project_id, session_id)
left join marts.traces as n
    on n.project_id = m.project_id and n.session_id = m.session_id and n.turn_index = m.turn + 1 and n.start_time >= $start
where m.at is not null
group by all
order by all
