-- Writes what was planned: everything that differs from the list just read goes, what the list has and we lack comes.
delete from raw.dataset_items
where project_id = (select project_id from this_load)
    and item_id not in (select item_id from incoming semi join (from planned where action = 'unchanged') using (read_rank));

insert into raw.dataset_items by name
select incoming.* exclude (read_rank, problem), (select run_id from this_load) as run_id
from incoming semi join (from planned where action in ('insert', 'replace')) using (read_rank);
