-- Writes what was planned.
create or replace temp table changed as
select project_id, trace_id, observation_id, action
from incoming join planned using (read_rank)
where action <> 'unchanged';

insert into touched_traces select distinct project_id, trace_id from changed;

update raw.observations set deleted_at = null, run_id = (select run_id from this_load)
where (project_id, trace_id, observation_id) in (
    select (project_id, trace_id, observation_id) from changed where action = 'return'
);

delete from raw.observations
where (project_id, trace_id, observation_id) in (
    select (project_id, trace_id, observation_id) from changed where action = 'replace'
);

insert into raw.observations by name
select incoming.* exclude (read_rank, problem), (select run_id from this_load) as run_id
from incoming semi join (from planned where action in ('insert', 'replace')) using (read_rank);
