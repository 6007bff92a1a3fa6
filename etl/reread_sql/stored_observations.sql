-- grain: one row per stored observation of a stretch of time, and per one elsewhere that was returned in it
-- is_listed: the list that was read would hold the row, if the server still had it
create or replace temp table stored as
with inside as (
    select *, true as is_inside
    from raw.observations
    where project_id = $project_id and start_time >= $start and start_time < $end
),

unknown as (
    from returned
    where (trace_id, row_id) not in (select (trace_id, observation_id) from inside)
),

elsewhere as (
    select *, false as is_inside
    from raw.observations
    where project_id = $project_id and (trace_id, observation_id) in (select (trace_id, row_id) from unknown)
)

select
    trace_id,
    observation_id as row_id,
    trace_id as unit,
    start_time as started,
    coalesce(updated_at, timestamp '0001-01-01') as updated_at,
    deleted_at is not null as is_deleted,
    is_inside,
    family = $family and (family = 'modern' or is_synthetic = ($entity = 'traces')) as is_listed
from (from inside union all by name from elsewhere)
