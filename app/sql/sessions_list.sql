-- Sessions that the filters pick, best first. Grain: (project_id, session_id). Times UTC, durations ms, cost USD.
-- Reads `selected`: (project_id, session_id). $order names a column of the allow-list below, $descending its direction.
-- total is the number of sessions picked, before the limit.
with ordered as (
    select
        s.*,
        case $order
            when 'turns' then s.turns
            when 'duration_ms' then s.duration_ms
            when 'avg_response_ms' then s.avg_response_ms
            when 'cost_usd' then s.cost_usd
            when 'total_tokens' then s.total_tokens
            when 'error_count' then s.error_count
            when 'satisfaction_mean' then s.satisfaction_mean
            else epoch(s.start_time)
        end::double as place
    from marts.sessions as s
    semi join selected using (project_id, session_id)
)

select
    project_id, session_id, start_time, turns, duration_ms, avg_response_ms, cost_usd, total_tokens, error_count,
    satisfaction_mean, outcome, array_to_string(user_ids, ', ') as users, last_step, environment,
    count(*) over () as total
from ordered
order by
    case when $descending then -place else place end nulls last,
    start_time desc, project_id, session_id
limit $limit
