-- Releases that began within a window, those with most traces first. Grain: release. Times UTC.
-- A release of the first day of history had begun before; it is left out.
with traces as (
    select release, start_time
    from marts.traces
    where ($project is null or project_id = $project) and release is not null
        and (environment is null or not starts_with(environment, 'langfuse-'))
)

select release, min(start_time) as began, count(*) as traces, count(*) over () as total
from traces
group by release
having min(start_time) >= $start and min(start_time) < $end
    and min(start_time) > (select min(start_time) + interval 1 day from traces)
order by traces desc, release
limit $limit
