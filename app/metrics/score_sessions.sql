-- grain: one row per score that speaks of a session, or of a trace that belongs to one
-- source: scored (rows of marts.scores), marts.traces, marts.sessions
select s.project_id as scored_project_id, s.score_id as scored_id, c.*
from scored s
left join marts.traces t on t.project_id = s.project_id and t.trace_id = s.trace_id
join marts.sessions c on c.project_id = s.project_id and c.session_id = coalesce(t.session_id, s.session_id)
