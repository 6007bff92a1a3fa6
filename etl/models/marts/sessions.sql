-- grain: one row per session
-- key: project_id, session_id
-- units: times in UTC, durations in milliseconds, cost in USD, counts in tokens
-- source: int_session_traces and the other int_session_* models of this run
with totals as (
    select
        project_id,
        session_id,
        coalesce(list_sort(list(distinct user_id) filter (user_id is not null)), []) as user_ids,
        arg_max(environment, turn_index) as environment,
        list_sort(list_distinct(flatten(list(tags)))) as tags,
        list_sort(list_distinct(flatten(list(models)))) as models,
        arg_max(release, turn_index) filter (release is not null) as release,
        min(start_time) as start_time,
        max(end_time) as end_time,
        count(*) as turns,
        exact_mean(latency_ms) as avg_response_ms,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        sum(total_tokens)::bigint as total_tokens,
        exact_sum(cost_usd) as cost_usd,
        sum(error_count)::bigint as error_count,
        count(*) filter (is_failed) as failed_count,
        arg_max(is_failed, turn_index) as is_last_failed
    from int_session_traces
    group by all
),

messages as (
    select project_id, session_id, if(bool_or(is_readable), count(*) filter (is_new), count(*)) as user_turns
    from int_user_messages
    group by all
),

-- the latest signal wins; at a tie the escalation
signals as (
    select project_id, session_id, arg_max({'outcome': outcome, 'reason': reason}, (signalled_at, outcome = 'escalated', reason)) as signal
    from int_signals
    group by all
)

select
    totals.* exclude (is_last_failed),
    elapsed_ms(totals.start_time, totals.end_time) as duration_ms,
    messages.user_turns,
    satisfaction.satisfaction_mean,
    satisfaction.satisfaction_last,
    case
        when signals.signal is not null then signals.signal.outcome
        when totals.end_time > settings.as_of - to_microseconds((settings.open_minutes * 60e6)::bigint) then 'open'
        when totals.is_last_failed or unanswered.session_id is not null then 'abandoned'
        else 'unknown'
    end as outcome,
    case
        when signals.signal is not null then signals.signal.reason
        when totals.end_time > settings.as_of - to_microseconds((settings.open_minutes * 60e6)::bigint)
            then 'active within ' || format('{:g}', settings.open_minutes) || ' minutes of the last reading'
        when totals.is_last_failed then 'last turn failed'
        when unanswered.session_id is not null then 'last message has no answer'
        else 'no signal'
    end as outcome_reason,
    null::varchar as topic_id,
    paths.last_step,
    paths.path
from totals
cross join int_settings as settings
inner join int_paths as paths using (project_id, session_id)
left join messages using (project_id, session_id)
left join signals using (project_id, session_id)
left join int_session_satisfaction as satisfaction using (project_id, session_id)
left join int_unanswered_sessions as unanswered
    on unanswered.project_id = totals.project_id and unanswered.session_id = totals.session_id
