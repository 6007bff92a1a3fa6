-- grain: one row per touched trace that still has rows
-- key: project_id, trace_id
-- units: times in UTC, durations in milliseconds, cost in USD, counts in tokens
-- source: marts.observations of this run, int_touched, int_trace_context, int_trace_names, int_roots, int_unanswered_errors
with rows_of_trace as (
    select touched.trace_key, observation.*
    from marts.observations as observation
    inner join int_touched as touched using (project_id, trace_id)
),

counted as (
    select
        trace_key,
        project_id,
        trace_id,
        min(start_time) as start_time,
        greatest(max(start_time), max(end_time)) as end_time,
        max(end_time) is not null as has_ended,
        min(epoch_us(start_time) / 1000.0 + time_to_first_token_ms) as first_token_ms,
        arg_min({'name': prompt_name, 'version': prompt_version}, (start_time, observation_id))
            filter (prompt_name is not null) as prompt,
        count(*) filter (not is_synthetic) as observation_count,
        count(*) filter (not is_synthetic and type = 'GENERATION') as generation_count,
        count(*) filter (not is_synthetic and type = 'TOOL') as tool_call_count,
        count(*) filter (not is_synthetic and is_error) as error_count,
        coalesce(list_sort(list(distinct model) filter (model is not null and not is_double_counted)), []) as models,
        coalesce(list_sort(list(distinct provider) filter (provider is not null and not is_double_counted)), []) as providers,
        coalesce(sum(input_tokens) filter (not is_synthetic), 0)::bigint as input_tokens,
        coalesce(sum(output_tokens) filter (not is_synthetic), 0)::bigint as output_tokens,
        coalesce(sum(cache_read_input_tokens) filter (not is_synthetic), 0)::bigint as cache_read_input_tokens,
        coalesce(sum(reasoning_output_tokens) filter (not is_synthetic), 0)::bigint as reasoning_output_tokens,
        exact_sum(if(is_synthetic, null, cost_usd)) as priced_usd,
        count(*) filter (type in ('GENERATION', 'EMBEDDING') and cost_source is null) as unpriced_count,
        arg_min(error_group_id, (start_time, observation_id)) filter (error_group_id is not null) as first_error_group_id
    from rows_of_trace
    group by all
),

roots as (
    select
        root.trace_key,
        coalesce(metadata.metadata, speaker.metadata) as metadata,
        speaker.level = 'ERROR' or coalesce(top.level = 'ERROR', false) as is_root_error
    from int_roots as root
    inner join stg.observations as speaker on speaker.span_key = root.root_key
    left join stg.observations as top on top.span_key = root.top_key
    left join int_metadata as metadata on metadata.span_key = root.root_key
)

select
    counted.* exclude (trace_key, has_ended, first_token_ms, prompt, priced_usd),
    names.name,
    if(has_ended, elapsed_ms(start_time, end_time), null) as latency_ms,
    first_token_ms - epoch_us(start_time) / 1000.0 as time_to_first_token_ms,
    context.user_id,
    context.session_id,
    context.environment,
    context.release,
    context.version,
    context.tags,
    roots.metadata,
    prompt.name as prompt_name,
    prompt.version as prompt_version,
    error_count > 0 as is_error,
    roots.is_root_error or (error_count > 0 and unanswered.trace_key is not null) as is_failed,
    input_tokens + output_tokens as total_tokens,
    -- nothing to pay is 0; everything unpriced is unknown
    if(priced_usd is null and unpriced_count = 0, 0, priced_usd) as cost_usd
from counted
inner join int_trace_context as context using (trace_key)
inner join int_trace_names as names using (trace_key)
inner join roots using (trace_key)
left join int_unanswered_errors as unanswered using (trace_key)
