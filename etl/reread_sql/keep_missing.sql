-- What was left out; see losses.
insert into missing_now
select $project_id, $entity, $family, trace_id, row_id, started
from stored
where is_inside and is_listed and not is_deleted and started >= $kept_from
    and (trace_id, row_id) not in (select (trace_id, row_id) from returned)
