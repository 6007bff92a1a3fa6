-- What came back at another time than the stored one, as a span does that was sent again.
insert into moved
select $project_id, $entity, trace_id, row_id from stored where not is_inside
