-- Oldest first, so that those that wait longest are looked for first.
select project_id, entity, family, trace_id, row_id, started, missed_at from missing order by missed_at, started
