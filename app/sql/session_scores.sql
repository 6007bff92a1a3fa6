-- Scores of one session, of its traces and of their observations. Grain: one row per score. scored_at UTC.
select
    sc.score_id, sc.name, sc.data_type, sc.source, sc.value, sc.string_value, sc.comment, sc.subject_kind, sc.trace_id,
    sc.observation_id, sc.scored_at
from marts.scores as sc
where sc.project_id = $project_id
    and (
        (sc.subject_kind = 'session' and sc.session_id = $session_id)
        or sc.trace_id in (
            select trace_id from marts.traces where project_id = $project_id and session_id = $session_id
        )
    )
order by sc.scored_at, sc.score_id
