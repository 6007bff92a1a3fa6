-- One page of the sessions that the filters pick. Grain: (project_id, session_id). Times UTC, durations ms, cost USD.
-- Reads `selected`: sessions. $order names a column of the allow-list below, $descending its direction; missing values
-- come last either way. Only the rows of the page are read whole.
with placed as (
    select
        project_id, session_id, start_time,
        case $order
            when 'turns' then turns
            when 'duration_ms' then duration_ms
            when 'avg_response_ms' then avg_response_ms
            when 'cost_usd' then cost_usd
            when 'total_tokens' then total_tokens
            when 'error_count' then error_count
            when 'satisfaction_mean' then satisfaction_mean
            else epoch(start_time)
        end::double as place
    from selected
),

listed as (
    select project_id, session_id, case when $descending then -place else place end as place
    from placed
    order by 3 nulls last, start_time desc, project_id, session_id
    limit $limit offset $offset
)

select
    s.project_id, s.session_id, s.start_time, s.end_time, s.turns, s.user_turns, s.duration_ms, s.avg_response_ms,
    s.cost_usd, s.total_tokens, s.error_count, s.failed_count, s.satisfaction_mean, s.satisfaction_last, s.outcome,
    s.outcome_reason, coalesce(t.label, s.topic_id) as topic, s.user_ids, array_to_string(s.user_ids, ', ') as users,
    s.last_step, s.environment, s.release
from listed as l
join marts.sessions as s using (project_id, session_id)
left join marts.topics as t on t.topic_id = s.topic_id
order by l.place nulls last, s.start_time desc, s.project_id, s.session_id
