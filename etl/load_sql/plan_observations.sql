-- What becomes of each incoming row. The version with the greater updated_at wins, a tie goes to the later read; rows
-- that say what is stored already are left alone. Writes nothing outside this connection's own tables.
delete from incoming
where read_rank not in (
    select max_by(read_rank, (coalesce(updated_at, timestamp '0001-01-01'), read_rank))
    from incoming
    group by project_id, trace_id, observation_id
);

-- grain: one row per incoming row; action: insert, replace, return (was deleted, is older than what is stored), unchanged
create or replace temp table planned as
with stored as (
    select
        incoming.read_rank,
        coalesce(incoming.updated_at, timestamp '0001-01-01') as updated_at,
        coalesce(known.updated_at, timestamp '0001-01-01') as known_updated_at,
        known.observation_id is not null as is_known,
        known.deleted_at is not null as was_deleted
    from incoming left join raw.observations as known using (project_id, trace_id, observation_id)
),

-- start_time is among the keys of this join because it lets whole blocks of payload be skipped
stored_content as (
    select project_id, trace_id, observation_id, hash(*columns(* exclude (deleted_at, run_id))) as content
    from raw.observations semi join incoming using (project_id, trace_id, observation_id, start_time)
),

incoming_content as (
    select read_rank, project_id, trace_id, observation_id, hash(*columns(* exclude (read_rank, problem))) as content
    from incoming
),

same as (
    select read_rank
    from incoming_content join stored_content using (project_id, trace_id, observation_id, content)
)

select
    read_rank,
    case when not is_known then 'insert'
         when was_deleted and updated_at < known_updated_at then 'return'
         when was_deleted or updated_at > known_updated_at then 'replace'
         when updated_at = known_updated_at and read_rank not in (select read_rank from same) then 'replace'
         else 'unchanged' end as action
from stored;
