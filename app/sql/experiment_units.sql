-- Traces that count, with the cluster that their errors are clustered by. Grain: (project_id, trace_id).
-- Reads `arms`: traces with the arms that they show; those that show two are left out. A cluster is the unit of
-- assignment; for assignment per trace it is the user (the trace itself without one). Rows without the unit are left out,
-- and so are clusters in two arms when $exclude_crossed. Further columns as marts.traces; day is a UTC day.
with exposed as (
    select
        * exclude (shown), start_time::date as day, shown[1] as arm,
        case $unit when 'user' then user_id when 'session' then session_id else coalesce(user_id, trace_id) end as cluster
    from arms
    where len(shown) = 1
),

crossed as (
    select project_id, cluster
    from exposed
    where $exclude_crossed and $unit <> 'trace'
    group by project_id, cluster
    having min(arm) <> max(arm)
)

select e.*
from exposed as e
anti join crossed using (project_id, cluster)
where e.cluster is not null
