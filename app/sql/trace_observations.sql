-- The steps of one trace, earliest first. Grain: one row per observation, synthetic rows left out.
-- offset_ms is the time since the trace's first step began. Durations ms, cost USD.
select
    observation_id, parent_observation_id, type, coalesce(tool_name, name) as name, level, status_message, start_time,
    date_diff('millisecond', min(start_time) over (), start_time)::double as offset_ms,
    latency_ms, time_to_first_token_ms, model, input_tokens, output_tokens, total_tokens, cost_usd, is_double_counted
from marts.observations
where project_id = $project_id and trace_id = $trace_id and not is_synthetic
order by start_time, parent_observation_id is not null, observation_id
