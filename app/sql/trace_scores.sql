-- Scores of one trace and of its observations. Grain: one row per score. scored_at UTC.
select
    score_id, name, data_type, source, value, string_value, comment, subject_kind, observation_id, scored_at
from marts.scores
where project_id = $project_id and trace_id = $trace_id
order by scored_at, score_id
