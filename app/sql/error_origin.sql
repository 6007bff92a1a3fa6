-- Where one group began. One row. Times UTC; covers all history.
-- release: of the first occurrence; release_began: its first trace; in_release: the group's occurrences in it.
with occurrences as (
    select release, start_time, trace_id
    from marts.observations
    where project_id = $project and error_group_id = $group and is_error and not is_propagated
)

select
    o.release,
    o.start_time as first_seen,
    (select min(t.start_time) from marts.traces as t where t.project_id = $project and t.release = o.release) as release_began,
    (select count(*) from occurrences as i where i.release = o.release) as in_release,
    (select count(*) from occurrences) as occurrences
from occurrences as o
order by o.start_time, o.trace_id
limit 1
