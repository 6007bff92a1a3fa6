-- What has to be modelled again; a score's trace is known from the score.
insert into touched_traces
select project_id, trace_id from raw.observations where run_id = $run_id and deleted_at is not null
union
select project_id, trace_id
from raw.scores
where run_id = $run_id and deleted_at is not null and trace_id is not null
