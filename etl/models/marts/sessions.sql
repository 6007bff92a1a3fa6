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
        count(*) filter (is_failed) as failed_count
    from int_session_traces
    group by all
),

messages as (
    select project_id, session_id, if(bool_or(is_readable), count(*) filter (is_new), count(*)) as user_turns
    from int_user_messages
    group by all
),

topics as (
    select project_id, session_id, arg_max(topic_id, (weight, topic_id)) as topic_id
    from int_session_topics
    group by all
)

select
    totals.*,
    elapsed_ms(totals.start_time, totals.end_time) as duration_ms,
    messages.user_turns,
    satisfaction.satisfaction_mean,
    satisfaction.satisfaction_last,
    outcomes.outcome,
    outcomes.outcome_reason,
    endings.is_unanswered,
    topics.topic_id,
    coalesce(paths.last_step, '(ignored)') as last_step,
    coalesce(paths.path, []) as path
from totals
inner join int_outcomes as outcomes using (project_id, session_id)
inner join int_endings as endings using (project_id, session_id)
left join int_paths as paths using (project_id, session_id)
left join messages using (project_id, session_id)
left join topics using (project_id, session_id)
left join int_session_satisfaction as satisfaction using (project_id, session_id)
