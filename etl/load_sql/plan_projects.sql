-- What becomes of each incoming row; the later read counts. The reply holds exactly the project of the key.
delete from incoming
where read_rank not in (select max(read_rank) from incoming group by project_id);

create or replace temp table planned as
with known as (
    select project_id, hash(*columns(* exclude (run_id))) as content from raw.projects
),

fresh as (
    select read_rank, project_id, hash(*columns(* exclude (read_rank, problem))) as content from incoming
)

select
    fresh.read_rank,
    case when known.project_id is null then 'insert'
         when known.content <> fresh.content then 'replace'
         else 'unchanged' end as action
from fresh left join known using (project_id);
