-- Sessions on one path of flow_paths, written with arrows. Grain: (project_id, session_id). Reads `selected`.
select project_id, session_id, null::integer as turn
from selected
where array_to_string(case when len(path) > $steps then list_append(path[1:$steps], '…') else coalesce(path, []) end, ' → ') = $path
