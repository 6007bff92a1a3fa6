-- grain: one row per score and trace that it speaks of: its own, or each trace of the session that it was given to
-- source: scored (rows of marts.scores), marts.traces
select s.project_id as scored_project_id, s.score_id as scored_id, t.*
from scored s
join marts.traces t on t.project_id = s.project_id and t.trace_id = s.trace_id
union all
select s.project_id, s.score_id, t.*
from scored s
join marts.traces t on t.project_id = s.project_id and t.session_id = s.session_id
where s.trace_id is null
