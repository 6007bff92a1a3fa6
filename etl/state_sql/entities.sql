-- grain: one row per entity that the warehouse stores, over all projects
-- watermark: the earliest of the projects; that of the observations where traces and sessions are made from them
-- quarantined: records that could not be typed
with stored as (
    select 'traces' as entity, 'observations' as watermark_of, count(*) as row_count from marts.traces
    union all select 'observations', 'observations', count(*) from marts.observations where not is_synthetic
    union all select 'sessions', 'observations', count(*) from marts.sessions
    union all select 'scores', 'scores', count(*) from marts.scores
),

watermarks as (select entity, min(watermark) as watermark from meta.watermarks group by entity),

quarantined as (select entity, count(*) as record_count from meta.quarantine group by entity)

select stored.entity, stored.row_count, watermarks.watermark, coalesce(quarantined.record_count, 0)
from stored
left join watermarks on watermarks.entity = stored.watermark_of
left join quarantined on quarantined.entity = stored.entity
order by stored.entity
