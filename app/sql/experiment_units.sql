-- Traces that count, with the cluster that their errors are clustered by. Grain: (project_id, trace_id).
-- Reads `exposed`. A cluster is the unit of assignment; for assignment per trace it is the user (the trace itself without
-- one). Rows without the unit are left out, and so are clusters in two arms when $exclude_crossed. Further columns as marts.traces; day is a UTC day.
with clustered as (
    select
        *, start_time::date as day,
        case $unit when 'user' then user_id when 'session' then session_id else coalesce(user_id, trace_id) end as cluster
    from exposed
),

crossed as (
    select project_id, cluster
    from clustered
    where $exclude_crossed and $unit <> 'trace'
    group by project_id, cluster
    having min(arm) <> max(arm)
)

select e.*
from clustered as e
anti join crossed using (project_id, cluster)
where e.cluster is not null
