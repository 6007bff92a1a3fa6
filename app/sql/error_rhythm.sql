-- How tightly one group's occurrences come together. One row. Reads `selected`: (project_id, trace_id, observation_id).
-- burst_share: share of occurrences in minutes with 3 or more of them; top_* are the commonest values, null without any.
with occurrences as (
    select o.start_time, o.model, coalesce(o.tool_name, o.name) as step, o.latency_ms, o.input_tokens, o.provider
    from marts.observations as o
    semi join selected using (project_id, trace_id, observation_id)
    where o.error_group_id = $group and o.is_error and not o.is_propagated
),

minutes as (
    select date_trunc('minute', start_time) as minute, count(*) as n from occurrences group by minute
)

select
    count(*) as occurrences,
    coalesce((select sum(n) from minutes where n >= 3), 0)::double / greatest(1, count(*)) as burst_share,
    mode(model) as top_model,
    count(*) filter (model = (select mode(model) from occurrences))::double / greatest(1, count(*)) as top_model_share,
    mode(provider) as top_provider,
    mode(step) as top_step,
    median(latency_ms)::double as latency_p50_ms,
    max(input_tokens) as input_tokens_max
from occurrences
