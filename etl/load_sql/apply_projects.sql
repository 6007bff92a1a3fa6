-- Writes what was planned.
delete from raw.projects
where project_id in (
    select project_id from incoming join planned using (read_rank) where action = 'replace'
);

insert into raw.projects by name
select incoming.* exclude (read_rank, problem), (select run_id from this_load) as run_id
from incoming semi join (from planned where action in ('insert', 'replace')) using (read_rank);
