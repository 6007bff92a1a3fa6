-- Adds what was counted to meta.unknown_fields.
update meta.unknown_fields
set record_count = unknown_fields.record_count + fields_now.record_count
from fields_now, this_load
where unknown_fields.project_id = this_load.project_id
    and unknown_fields.entity = this_load.entity
    and unknown_fields.field = fields_now.field;

insert into meta.unknown_fields
select project_id, entity, field, record_count, run_id
from fields_now cross join this_load
where (project_id, entity, field) not in (select (project_id, entity, field) from meta.unknown_fields);
