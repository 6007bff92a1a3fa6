-- Every tool that was called. Grain: tool_name, most used first. Durations ms; cost_usd is that of the calls themselves.
-- Reads `selected`: observations. A call that is the same tool with the same arguments as an earlier one of its trace is
-- a retry where an earlier one had ended in ERROR (as the metric retry_rate says), else a repeat; calls whose arguments
-- are not stored count as the same for retries and as no repeat.
with called as (
    select project_id, trace_id, observation_id, tool_name, is_error, latency_ms, cost_usd
    from selected
    where type = 'TOOL'
),

-- Whole traces: what came before may lie outside of the selection. Only what was called twice can repeat itself.
several as (
    select o.project_id, o.trace_id, o.observation_id, o.tool_name, o.start_time, o.is_error
    from marts.observations as o
    semi join called as c on c.project_id = o.project_id and c.trace_id = o.trace_id
    where o.type = 'TOOL' and not o.is_synthetic
    qualify count(*) over (partition by o.project_id, o.trace_id, o.tool_name) > 1
),

again as (
    select
        s.project_id, s.trace_id, s.observation_id,
        coalesce(bool_or(s.is_error) over (same rows between unbounded preceding and 1 preceding), false) as is_retry,
        p.input is not null and row_number() over same > 1 as is_repeat
    from several as s
    left join marts.payloads as p using (project_id, trace_id, observation_id)
    window same as (
        partition by s.project_id, s.trace_id, s.tool_name, md5(p.input) order by s.start_time, s.observation_id
    )
),

spread as (
    select tool_name, count(*) as traces
    from (select distinct tool_name, project_id, trace_id from called)
    group by tool_name
)

select
    coalesce(c.tool_name, '(none)') as tool,
    count(*) as calls,
    any_value(s.traces) as traces,
    count(*) filter (c.is_error) as errors,
    count(*) filter (a.is_retry) as retries,
    count(*) filter (a.is_repeat and not a.is_retry) as repeats,
    quantile_cont(c.latency_ms, 0.5) as latency_p50_ms,
    quantile_cont(c.latency_ms, 0.95) as latency_p95_ms,
    sum(c.cost_usd) as cost_usd
from called as c
left join again as a using (project_id, trace_id, observation_id)
left join spread as s on s.tool_name is not distinct from c.tool_name
group by 1
order by calls desc, tool
