insert or replace into missing (project_id, entity, family, trace_id, row_id, started, missed_at)
values (?, ?, ?, ?, ?, ?, ?)
