-- What becomes of each incoming score; the rules are those of the observations. One id can stand under two days after
-- an edit: the greater (updated_at, scored_at) is the newer one.
delete from incoming
where read_rank not in (
    select max_by(read_rank, (coalesce(updated_at, timestamp '0001-01-01'), scored_at, read_rank))
    from incoming
    group by project_id, score_id
);

-- grain: one row per incoming row; action: insert, replace, return (was deleted, is older than what is stored), unchanged
create or replace temp table planned as
with stored as (
    select
        incoming.read_rank,
        (coalesce(incoming.updated_at, timestamp '0001-01-01'), incoming.scored_at) as version,
        (coalesce(known.updated_at, timestamp '0001-01-01'), known.scored_at) as known_version,
        known.score_id is not null as is_known,
        known.deleted_at is not null as was_deleted
    from incoming left join raw.scores as known using (project_id, score_id)
),

stored_content as (
    select project_id, score_id, hash(*columns(* exclude (deleted_at, run_id))) as content
    from raw.scores semi join incoming using (project_id, score_id)
),

incoming_content as (
    select read_rank, project_id, score_id, hash(*columns(* exclude (read_rank, problem))) as content
    from incoming
),

same as (
    select read_rank
    from incoming_content join stored_content using (project_id, score_id, content)
)

select
    read_rank,
    case when not is_known then 'insert'
         when was_deleted and version < known_version then 'return'
         when was_deleted or version > known_version then 'replace'
         when version = known_version and read_rank not in (select read_rank from same) then 'replace'
         else 'unchanged' end as action
from stored;
