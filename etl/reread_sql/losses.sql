-- How many rows the warehouse holds that the list would hold, how many of them were left out, and of how many traces
-- (or other subjects of scores). What is older than the server keeps was not deleted by anybody.
select
    count(*),
    count(*) filter (where returned.row_id is null),
    count(distinct stored.unit) filter (where returned.row_id is null)
from stored left join (select distinct trace_id, row_id from returned) as returned using (trace_id, row_id)
where is_inside and is_listed and not is_deleted and stored.started >= $kept_from
