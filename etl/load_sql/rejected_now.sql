-- grain: one row per record that could not be stored and is not in the quarantine yet
-- The evidence of an unreadable page is cut; the page itself stays in the landing folder for its days.
create or replace temp table newly_rejected as
select distinct
    project_id,
    entity,
    md5(coalesce(record, '')) as record_hash,
    reason,
    left(record, 65536) as record,
    run_id,
    loaded_at as quarantined_at
from rejected cross join this_load
where (project_id, entity, md5(coalesce(record, ''))) not in (select (project_id, entity, record_hash) from meta.quarantine)
