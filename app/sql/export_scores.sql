-- Scores to take away. Grain: (project_id, score_id). Times UTC.
-- Reads `selected`: scores that the filters pick, by the time at which they were given.
select
    score_id,
    scored_at as timestamp,
    name,
    data_type,
    value,
    value_normalised,
    string_value,
    comment,
    source,
    subject_kind,
    trace_id,
    observation_id,
    session_id,
    dataset_run_id,
    environment,
    config_id,
    author_id,
    metadata,
    project_id
from selected
