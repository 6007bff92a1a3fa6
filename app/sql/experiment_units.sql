-- Traces that count, with the cluster that their errors are clustered by. Grain: (project_id, trace_id).
-- Reads `arms`: (project_id, trace_id, arm); traces that show two arms are left out. A cluster is the unit of assignment;
-- for assignment per trace it is the user (the trace itself without one). Rows without the unit are left out, and so are
-- clusters in two arms when $exclude_crossed. day is a UTC day.
with single as (
    select project_id, trace_id, min(arm) as arm
    from arms
    group by project_id, trace_id
    having min(arm) = max(arm)
),

exposed as (
    select
        t.project_id, t.trace_id, t.session_id, t.start_time::date as day, s.arm,
        case $unit when 'user' then t.user_id when 'session' then t.session_id else coalesce(t.user_id, t.trace_id) end
            as cluster
    from single as s
    join marts.traces as t using (project_id, trace_id)
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
