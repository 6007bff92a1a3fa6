-- Traces that the filters pick, first those that the order puts first. Grain: (project_id, trace_id). Times UTC,
-- durations ms, cost USD. Reads `selected`: (project_id, trace_id). $order names a column of the allow-list below.
-- $text, in lower case, is looked for in names and ids; empty takes every trace. total is the number before the limit.
with found as (
    select
        t.*,
        case $order
            when 'latency_ms' then t.latency_ms
            when 'cost_usd' then t.cost_usd
            when 'error_count' then t.error_count
            when 'total_tokens' then t.total_tokens
            else epoch(t.start_time)
        end::double as place
    from marts.traces as t
    semi join selected using (project_id, trace_id)
    where $text = ''
        or contains(lower(t.trace_id), $text) or contains(lower(t.name), $text)
        or contains(lower(t.user_id), $text) or contains(lower(t.session_id), $text)
)

select
    project_id, trace_id, start_time, name, latency_ms, cost_usd, error_count, is_failed, observation_count,
    total_tokens, user_id, session_id, release, environment,
    count(*) over () as total
from found
order by place desc nulls last, start_time desc, project_id, trace_id
limit $limit
