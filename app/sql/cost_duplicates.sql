-- Calls that are stored more than once. Grain: one row. Reads `selected`: observations that the filters pick.
-- keys: a (project, trace, observation) with several rows, which the sync rules out. twins: calls that equal another
-- one of their trace in start, name, model, tokens and cost under a different id, as a re-sent batch leaves them.
with twins as (
    select count(*) - 1 as copies, any_value(cost_usd) as cost_usd
    from selected
    where type in ('GENERATION', 'EMBEDDING') and cost_usd > 0
    group by project_id, trace_id, parent_observation_id, start_time, end_time, name, model_raw, total_tokens, cost_usd
    having count(*) > 1
)

select
    (select count(*) from (
        select 1 from selected group by project_id, trace_id, observation_id having count(*) > 1
    ))::bigint as keys,
    coalesce(sum(copies), 0)::bigint as twins,
    coalesce(sum(copies * cost_usd), 0)::double as twins_usd
from twins
