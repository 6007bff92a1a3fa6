-- The trace ids most like a mistyped one. Grain: (project_id, trace_id), the likeliest first.
select trace_id
from marts.traces
where $project is null or project_id = $project
order by starts_with(trace_id, $trace_id) desc, jaro_winkler_similarity(trace_id, $trace_id) desc, trace_id
limit 3
