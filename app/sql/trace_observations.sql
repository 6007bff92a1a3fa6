-- The rows of one trace, earliest first. Grain: one row per observation; a trace object of older clients stands among
-- them as a synthetic row. Durations ms, cost USD. offset_ms and end_ms count from the trace's start; end_ms is null
-- while the end is unknown. Payloads and open maps are those of observation_detail.sql and observation_payload.sql.
-- Times spare the engine all blocks of rows but a few: ids are in no order.
with span as (
    select start_time as since, end_time as until
    from marts.traces
    where project_id = $project_id and trace_id = $trace_id
)

select
    observation_id, parent_observation_id, type, coalesce(tool_name, name) as name, level, status_message,
    start_time, end_time,
    (epoch_us(start_time) - epoch_us(min(start_time) over ())) / 1000.0 as offset_ms,
    (epoch_us(end_time) - epoch_us(min(start_time) over ())) / 1000.0 as end_ms,
    latency_ms, self_time_ms, time_to_first_token_ms, model, prompt_name, prompt_version, release,
    input_tokens, output_tokens, cache_read_input_tokens, reasoning_output_tokens, total_tokens, usage_source,
    cost_usd, reported_cost_usd, cost_source, is_double_counted,
    is_error, is_propagated, is_root, is_synthetic, error_group_id
from marts.observations
where project_id = $project_id and trace_id = $trace_id
    and start_time between (select since from span) and (select until from span)
order by start_time, is_synthetic desc, parent_observation_id is not null, observation_id
