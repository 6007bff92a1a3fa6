-- The units that carry the score $score, whenever it was given. Grain: (project_id, unit_id). $subject: trace, session.
select distinct project_id, if($subject = 'session', session_id, trace_id) as unit_id
from marts.scores
where name = $score and data_type = $data_type and if($subject = 'session', session_id, trace_id) is not null
