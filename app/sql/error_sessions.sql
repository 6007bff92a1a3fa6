-- Sessions that errors struck, the latest first. Grain: (project_id, session_id). Times UTC, cost USD.
-- Reads `selected`: observations that the filters pick, all of their error groups. $limit NULL: every session.
with struck as (
    select
        o.project_id, o.session_id,
        count(*) as occurrences,
        count(distinct o.trace_id) as traces,
        min(o.start_time) as first_struck,
        max(o.start_time) as last_struck
    from selected as o
    where o.error_group_id is not null and o.is_error and not o.is_propagated and o.session_id is not null
    group by o.project_id, o.session_id
)

select
    struck.*, array_to_string(s.user_ids, ', ') as users, s.turns, s.outcome, s.satisfaction_mean, s.cost_usd,
    count(*) over () as total
from struck
left join marts.sessions as s using (project_id, session_id)
order by last_struck desc, session_id
limit $limit
