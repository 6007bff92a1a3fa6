-- What becomes of each incoming row; the later read counts. The list is whole: what it leaves out is gone.
delete from incoming
where read_rank not in (select max(read_rank) from incoming group by project_id, item_id);

create or replace temp table planned as
with known as (
    select project_id, item_id, hash(*columns(* exclude (run_id))) as content from raw.dataset_items
),

fresh as (
    select read_rank, project_id, item_id, hash(*columns(* exclude (read_rank, problem))) as content from incoming
)

select
    fresh.read_rank,
    case when known.project_id is null then 'insert'
         when known.content <> fresh.content then 'replace'
         else 'unchanged' end as action
from fresh left join known using (project_id, item_id);

insert into planned
select null, 'delete'
from raw.dataset_items
where project_id = (select project_id from this_load)
    and item_id not in (select item_id from incoming);
