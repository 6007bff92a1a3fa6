-- grain: one row per stored score of a stretch of time, and per one elsewhere that was returned in it
-- is_listed: the list that was read would hold the row, if the server still had it; the oldest route holds no scores of
-- sessions and runs, and no corrections
create or replace temp table stored as
with inside as (
    select *, true as is_inside
    from raw.scores
    where project_id = $project_id and scored_at >= $start and scored_at < $end
),

unknown as (
    from returned where row_id not in (select score_id from inside)
),

elsewhere as (
    select *, false as is_inside
    from raw.scores
    where project_id = $project_id and score_id in (select row_id from unknown)
)

select
    '' as trace_id,
    score_id as row_id,
    coalesce(trace_id, session_id, dataset_run_id, score_id) as unit,
    scored_at as started,
    coalesce(updated_at, timestamp '0001-01-01') as updated_at,
    deleted_at is not null as is_deleted,
    is_inside,
    coalesce(family, '') = $family
        and ($is_complete or (subject_kind in ('trace', 'observation') and data_type <> 'CORRECTION')) as is_listed
from (from inside union all by name from elsewhere)
