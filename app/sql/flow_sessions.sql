-- Sessions as evidence, newest first. Grain: (project_id, session_id). Times UTC, durations ms, cost USD.
-- Reads `selected` and `picked`: (project_id, session_id, turn); turn: at which to look, null for none in particular. total is the number picked, before the limit.
select
    s.project_id, s.session_id, p.turn, s.start_time, s.outcome, s.outcome_reason, s.turns, s.duration_ms, s.cost_usd,
    s.error_count, s.satisfaction_mean, array_to_string(s.user_ids, ', ') as users,
    array_to_string(s.path, ' → ') as path,
    count(*) over () as total
from selected as s
inner join picked as p using (project_id, session_id)
order by s.start_time desc, s.project_id, s.session_id
limit $limit
