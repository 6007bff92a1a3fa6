-- grain: one row per row that is missing at the end of the run: it neither moved nor was it written meanwhile
-- missed_at: when it was first missed
create or replace temp table still_missing as
with candidates as (
    select missing_now.*
    from missing_now anti join moved using (project_id, entity, trace_id, row_id)
),

present as (
    select candidates.*
    from candidates
    join raw.observations as stored
        on stored.project_id = candidates.project_id and stored.trace_id = candidates.trace_id
        and stored.observation_id = candidates.row_id
    where candidates.entity <> 'scores' and stored.deleted_at is null
        and stored.start_time = candidates.started and stored.run_id <> $run_id
    union
    select candidates.*
    from candidates
    join raw.scores as stored
        on stored.project_id = candidates.project_id and stored.score_id = candidates.row_id
    where candidates.entity = 'scores' and stored.deleted_at is null
        and stored.scored_at = candidates.started and stored.run_id <> $run_id
)

select present.*, coalesce(missing_before.missed_at, $now) as missed_at
from present left join missing_before using (project_id, entity, family, trace_id, row_id)
