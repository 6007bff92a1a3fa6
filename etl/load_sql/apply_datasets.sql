-- Writes what was planned: everything that differs from the list just read goes, what the list has and we lack comes.
delete from raw.datasets
where project_id = (select project_id from this_load)
    and dataset_id not in (select dataset_id from incoming semi join (from planned where action = 'unchanged') using (read_rank));

insert into raw.datasets by name
select incoming.* exclude (read_rank, problem), (select run_id from this_load) as run_id
from incoming semi join (from planned where action in ('insert', 'replace')) using (read_rank);
