-- The turns of one session without their texts. Grain: one row per trace, in the order of the conversation.
-- Times UTC, durations ms, cost USD; gap_ms is the time since the turn before ended (never negative, null on the first).
select
    trace_id, turn_index, name, start_time, end_time, latency_ms, time_to_first_token_ms, user_id, models, prompt_name,
    prompt_version, observation_count, tool_call_count, error_count, is_error, is_failed, input_tokens, output_tokens,
    total_tokens, cost_usd, unpriced_count, first_error_group_id,
    case
        when lag(end_time) over (order by turn_index, trace_id) is not null
            then greatest(0, date_diff('millisecond', lag(end_time) over (order by turn_index, trace_id), start_time))
    end::double as gap_ms
from marts.traces
where project_id = $project_id and session_id = $session_id
order by turn_index, trace_id
