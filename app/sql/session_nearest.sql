-- The session ids most like a mistyped one. Grain: (project_id, session_id), the likeliest first.
select session_id
from marts.sessions
where $project is null or project_id = $project
order by
    starts_with(session_id, $session_id) desc,
    jaro_winkler_similarity(session_id, $session_id) desc,
    session_id
limit 3
