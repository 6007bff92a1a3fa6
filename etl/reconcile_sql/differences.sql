-- grain: one row: how the server's rows of one day differ from the stored ones
-- bodies: pages of GET /v2/observations with fields=core,time
with records as (
    select unnest(from_json(json_extract(body, '$.data'),
        '[{"id": "VARCHAR", "traceId": "VARCHAR", "createdAt": "VARCHAR"}]')) as record
    from (select unnest($bodies) as body)
),

listed as (
    select
        record.traceId as trace_id,
        record.id as observation_id,
        count(*) as versions,
        min(try_cast(record.createdAt as timestamptz)) as created_at
    from records
    group by all
),

stored as (
    select trace_id, observation_id
    from raw.observations
    where project_id = $project_id and start_time >= $start and start_time < $end and deleted_at is null
)

select
    coalesce(sum(versions), 0) - count(listed.observation_id) as duplicates,
    count(*) filter (stored.observation_id is null) as missing,
    count(*) filter (stored.observation_id is null and epoch_us(created_at) >= epoch_us($checked_until::timestamp)) as late,
    count(*) filter (listed.observation_id is null) as gone
from listed full join stored using (trace_id, observation_id)
