-- grain: one row per observation; trace objects stand here as synthetic rows
-- key: project_id, trace_id, observation_id
-- What a row doesn't know about its trace (user, session, name, tags, release, version, environment) is filled from it.
-- units: times in UTC, durations in milliseconds, cost in USD, counts in tokens
-- source: stg.observations and the int_* models of this run
select
    observation.project_id,
    observation.trace_id,
    observation.observation_id,
    observation.parent_observation_id,
    observation.type,
    observation.name,
    observation.level,
    coalesce(observation.status_message, error.message) as status_message,
    observation.start_time,
    observation.end_time,
    elapsed_ms(observation.start_time, observation.end_time) as latency_ms,
    coalesce(elapsed_ms(observation.start_time, observation.completion_start_time),
        observation.reported_time_to_first_token_ms) as time_to_first_token_ms,
    coalesce(observation.environment, context.environment) as environment,
    coalesce(observation.trace_name, trace.name) as trace_name,
    coalesce(observation.user_id, context.user_id) as user_id,
    coalesce(observation.session_id, context.session_id) as session_id,
    if(len(observation.tags) > 0, observation.tags, context.tags) as tags,
    coalesce(observation.release, context.release) as release,
    coalesce(observation.version, context.version) as version,
    coalesce(metadata.metadata, observation.metadata) as metadata,
    models.model,
    observation.model_raw,
    models.provider,
    observation.model_parameters,
    observation.prompt_name,
    observation.prompt_version,
    if(observation.type = 'TOOL', coalesce(
        json_extract_string(coalesce(metadata.metadata, observation.metadata), '$."attributes.tool.name"'),
        json_extract_string(coalesce(metadata.metadata, observation.metadata), '$."attributes.gen_ai.tool.name"'),
        observation.name), null) as tool_name,
    if(cost.is_double_counted, 0, cost.input_tokens) as input_tokens,
    if(cost.is_double_counted, 0, cost.output_tokens) as output_tokens,
    if(cost.is_double_counted, 0, cost.cache_read_input_tokens) as cache_read_input_tokens,
    if(cost.is_double_counted, 0, cost.cache_creation_input_tokens) as cache_creation_input_tokens,
    if(cost.is_double_counted, 0, cost.reasoning_output_tokens) as reasoning_output_tokens,
    if(cost.is_double_counted, 0, cost.input_tokens + cost.output_tokens) as total_tokens,
    observation.usage_details,
    observation.cost_details,
    case
        when cost.has_usage is not true then null
        when cost.is_double_counted then 'doubtful'
        when error.span_key is not null and cost.part_count = 0 then 'doubtful'
        when cost.is_total_only and observation.type <> 'EMBEDDING' then 'doubtful'
        -- a private method, such as LlamaIndex's OpenAI._prepare_chat_with_tools, is no call
        when cost.part_count = 0 and contains(observation.name, '._') then 'doubtful'
        else 'reported'
    end as usage_source,
    cost.cost_usd,
    cost.reported_cost_usd,
    cost.cost_source,
    coalesce(cost.is_double_counted, false) as is_double_counted,
    error.span_key is not null as is_error,
    coalesce(error.is_propagated, false) as is_propagated,
    observation.span_key = root.root_key as is_root,
    observation.is_synthetic,
    error.error_group_id,
    if(observation.is_synthetic, null, coalesce(self_time.self_time_ms,
        elapsed_ms(observation.start_time, observation.end_time))) as self_time_ms,
    observation.created_at,
    observation.updated_at
from stg.observations as observation
inner join int_spans as span using (span_key)
inner join int_roots as root using (trace_key)
inner join int_trace_context as context using (trace_key)
inner join int_trace_names as trace using (trace_key)
left join int_models as models using (model_raw)
left join int_costs as cost using (span_key)
left join int_error_groups as error using (span_key)
left join int_metadata as metadata using (span_key)
left join int_self_times as self_time using (span_key)
