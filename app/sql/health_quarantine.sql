-- Records that could not be typed, newest first. Grain: (project_id, entity, record_hash). Times UTC.
-- total is the number of all of them, before the limit; a record is cut at $longest characters.
select
    quarantined_at, project_id, entity, reason, left(record, $longest) as record, run_id, record_hash,
    count(*) over () as total
from meta.quarantine
order by quarantined_at desc, record_hash
limit $limit
