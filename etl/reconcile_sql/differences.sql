-- grain: one row: how the server's rows of one day differ from the stored ones; counts of rows
-- bodies: pages of GET /v2/observations with fields=core,time,usage
-- recosted: the newest version there costs something else than the row here; USD
with records as (
    select unnest(from_json(json_extract(body, '$.data'),
        '[{"id": "VARCHAR", "traceId": "VARCHAR", "createdAt": "VARCHAR", "updatedAt": "VARCHAR", "totalCost": "VARCHAR"}]'))
        as record
    from (select unnest($bodies) as body)
),

listed as (
    select
        record.traceId as trace_id,
        record.id as observation_id,
        count(*) as versions,
        min(try_cast(record.createdAt as timestamptz)) as created_at,
        arg_max(coalesce(try_cast(record.totalCost as double), 0), coalesce(record.updatedAt, '')) as cost_usd
    from records
    group by all
),

stored as (
    select trace_id, observation_id, deleted_at is not null as is_deleted, coalesce(total_cost, 0) as cost_usd
    from raw.observations
    where project_id = $project_id and start_time >= $start and start_time < $end
),

compared as (
    select
        versions,
        stored.observation_id is not null and not is_deleted as is_here,
        coalesce(is_deleted, false) as was_taken_out,
        listed.observation_id is not null as is_there,
        epoch_us(created_at) >= epoch_us($checked_until::timestamp) as is_late,
        abs(listed.cost_usd - stored.cost_usd) > $tolerance_usd as is_recosted
    from listed full join stored using (trace_id, observation_id)
)

select
    coalesce(sum(versions - 1) filter (is_there), 0) as duplicates,
    count(*) filter (is_there and not is_here and not was_taken_out and not coalesce(is_late, false)) as missing,
    count(*) filter (is_there and not is_here and not was_taken_out and is_late) as late,
    count(*) filter (is_here and not is_there) as gone,
    count(*) filter (is_there and was_taken_out) as returned,
    count(*) filter (is_here and is_there and is_recosted) as recosted
from compared
