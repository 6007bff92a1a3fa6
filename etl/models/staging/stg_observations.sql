-- grain: one row per observation, and per trace object (synthetic row), that the server still has
-- key: project_id, trace_id, observation_id (span_key numbers the same rows within one run)
-- source: raw.observations
-- units: times in UTC, durations in milliseconds, cost in USD
with source as (
    select rowid as span_key, * from raw.observations where deleted_at is null
)

select
    span_key,
    project_id,
    trace_id,
    observation_id,
    -- a row can't be its own parent
    nullif(nullif(parent_observation_id, ''), observation_id) as parent_observation_id,
    -- no parent, or hung below the trace object: the top of what was done
    coalesce(parent_observation_id, '') in ('', 't-' || trace_id) as is_top,
    coalesce(is_root_observation, false) as is_flagged_root,
    is_synthetic,

    upper(coalesce(nullif(type, ''), 'SPAN')) as type,
    nullif(name, '') as name,
    upper(coalesce(nullif(level, ''), 'DEFAULT')) as level,
    nullif(trim(status_message), '') as status_message,
    nullif(trace_name, '') as trace_name,
    nullif(user_id, '') as user_id,
    nullif(session_id, '') as session_id,
    list_sort(list_distinct(list_filter(tags, lambda tag: tag is not null and tag <> ''))) as tags,
    nullif(release, '') as release,
    nullif(version, '') as version,
    nullif(environment, '') as environment,
    nullif(trim(model), '') as model_raw,
    model_parameters,
    nullif(prompt_name, '') as prompt_name,
    prompt_version,
    metadata,
    input,
    output,

    start_time,
    end_time,
    completion_start_time,
    created_at,
    updated_at,
    time_to_first_token_s * 1000.0 as reported_time_to_first_token_ms,

    usage_details,
    cost_details,
    total_cost
from source
