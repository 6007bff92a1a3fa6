-- grain: one row per session to model again
-- key: project_id, session_id
-- Touched are the old and the new session of every touched trace, sessions whose scores changed, and those whose outcome
-- hangs on the time (open).
-- source: int_touched, int_traces, marts.traces and marts.sessions as the last run left them, touched_sessions
select project_id, session_id from int_traces where session_id is not null
union
select traces.project_id, traces.session_id
from marts.traces as traces
semi join int_touched using (project_id, trace_id)
where traces.session_id is not null
union
select project_id, session_id from touched_sessions where session_id is not null
union
select project_id, session_id from marts.sessions where outcome = 'open'
union
-- a score of an untouched trace's observation reaches its session as well
select traces.project_id, traces.session_id
from marts.traces as traces
semi join touched_traces using (project_id, trace_id)
where traces.session_id is not null
