-- Sessions whose traces are all of one arm and one cluster. Grain: (project_id, session_id). Reads `usable`.
-- None where arms are drawn per trace: a session then holds both.
select project_id, session_id, min(cluster) as cluster, min(arm) as arm, min(day) as day
from usable
where session_id is not null and $unit <> 'trace'
group by project_id, session_id
having min(arm) = max(arm) and min(cluster) = max(cluster)
