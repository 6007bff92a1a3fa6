-- Fields that the API sent and this version does not know. Grain: (project_id, entity, field).
select project_id, entity, field, record_count, first_run_id
from meta.unknown_fields
order by record_count desc, entity, field
