-- Writes what was planned. An edited score may have moved to another subject: the old one is touched as well.
create or replace temp table changed as
select project_id, score_id, trace_id, session_id, action
from incoming join planned using (read_rank)
where action <> 'unchanged';

create or replace temp table subjects as
select project_id, trace_id, session_id from changed
union all
select project_id, trace_id, session_id from raw.scores semi join changed using (project_id, score_id);

insert into touched_traces select distinct project_id, trace_id from subjects where trace_id is not null;
insert into touched_sessions select distinct project_id, session_id from subjects where session_id is not null;

update raw.scores set deleted_at = null, run_id = (select run_id from this_load)
where (project_id, score_id) in (select (project_id, score_id) from changed where action = 'return');

delete from raw.scores
where (project_id, score_id) in (select (project_id, score_id) from changed where action = 'replace');

insert into raw.scores by name
select incoming.* exclude (read_rank, problem), (select run_id from this_load) as run_id
from incoming semi join (from planned where action in ('insert', 'replace')) using (read_rank);
