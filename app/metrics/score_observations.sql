-- grain: one row per score and observation that it speaks of: its own, else each of its trace, else of its session
-- source: scored (rows of marts.scores), marts.traces, marts.observations
select s.project_id as scored_project_id, s.score_id as scored_id, o.*
from scored s
join marts.observations o
    on o.project_id = s.project_id and o.trace_id = s.trace_id and o.observation_id = s.observation_id
union all
select s.project_id, s.score_id, o.*
from scored s
join marts.observations o on o.project_id = s.project_id and o.trace_id = s.trace_id
where s.observation_id is null
union all
select s.project_id, s.score_id, o.*
from scored s
join marts.traces t on t.project_id = s.project_id and t.session_id = s.session_id
join marts.observations o on o.project_id = t.project_id and o.trace_id = t.trace_id
where s.trace_id is null
