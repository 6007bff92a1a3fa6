-- grain: one row per score that the server still has
-- key: project_id, score_id
-- source: raw.scores
-- units: times in UTC; values on the score's own scale
with source as (
    from raw.scores where deleted_at is null
)

select
    project_id,
    score_id,
    nullif(name, '') as name,
    upper(coalesce(data_type, 'NUMERIC')) as data_type,
    upper(source) as source,
    subject_kind,
    nullif(trace_id, '') as trace_id,
    nullif(observation_id, '') as observation_id,
    nullif(session_id, '') as session_id,
    nullif(dataset_run_id, '') as dataset_run_id,

    -- text and corrections have no number, although some servers send 0
    case when upper(data_type) in ('TEXT', 'CORRECTION') or isnan(value) or isinf(value) then null
         when upper(data_type) = 'CATEGORICAL' then nullif(value, 0)
         else value end as value,
    nullif(string_value, '') as string_value,
    nullif(comment, '') as comment,
    coalesce(nullif(environment, ''), 'default') as environment,
    nullif(config_id, '') as config_id,
    nullif(author_id, '') as author_id,
    metadata,

    scored_at,
    created_at,
    updated_at
from source
