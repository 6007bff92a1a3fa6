-- Sums over clusters for the difference of ratio metrics between arms. Grain: (metric, arm).
-- Reads `arms`: (project_id, trace_id, arm); traces that show two arms are left out. A cluster is the unit of assignment;
-- for assignment per trace it is the user (the trace itself without one). Each cluster has one pair (x, y) per arm and
-- metric; the metric is sum(x) / sum(y). c_* are sums of products with the same cluster's pair in the arm $control.
-- Units of x: USD, ms, tokens, score points, or counts; of y: counts.
with single as (
    select project_id, trace_id, min(arm) as arm
    from arms
    group by project_id, trace_id
    having count(distinct arm) = 1
),

exposed as (
    select
        t.project_id, t.trace_id, t.session_id, s.arm, t.cost_usd, t.latency_ms, t.total_tokens, t.is_error, t.is_failed,
        case $unit when 'user' then t.user_id when 'session' then t.session_id else coalesce(t.user_id, t.trace_id) end
            as cluster
    from single as s
    join marts.traces as t using (project_id, trace_id)
),

usable as (select * from exposed where cluster is not null),

satisfaction as (
    select u.project_id, u.cluster, u.arm, sum(sc.value) as x, count(sc.value)::double as y
    from usable as u
    join marts.scores as sc using (project_id, trace_id)
    where sc.name = $satisfaction_score and sc.value is not null
    group by u.project_id, u.cluster, u.arm
),

sessions as (
    select u.project_id, any_value(u.cluster) as cluster, min(u.arm) as arm, u.session_id, count(*) as traces
    from usable as u
    where u.session_id is not null
    group by u.project_id, u.session_id
    having count(distinct u.arm) = 1 and count(distinct u.cluster) = 1
),

outcomes as (
    select c.project_id, c.cluster, c.arm, s.outcome, s.cost_usd, s.turns
    from sessions as c
    join marts.sessions as s using (project_id, session_id)
    where $unit <> 'trace'
),

per_cluster as (
    select 'cost_per_trace_usd' as metric, project_id, cluster, arm, sum(coalesce(cost_usd, 0)) as x, count(*)::double as y
    from usable group by all
    union all
    select 'latency_mean_ms', project_id, cluster, arm, sum(latency_ms), count(latency_ms)::double
    from usable group by all
    union all
    select 'tokens_per_trace', project_id, cluster, arm, sum(coalesce(total_tokens, 0))::double, count(*)::double
    from usable group by all
    union all
    select 'error_rate', project_id, cluster, arm, count(*) filter (is_error)::double, count(*)::double
    from usable group by all
    union all
    select 'failed_rate', project_id, cluster, arm, count(*) filter (is_failed)::double, count(*)::double
    from usable group by all
    union all
    select 'satisfaction_avg', project_id, cluster, arm, x, y from satisfaction
    union all
    select
        'resolved_rate', project_id, cluster, arm, count(*) filter (outcome = 'resolved')::double,
        count(*) filter (outcome not in ('unknown', 'open'))::double
    from outcomes group by all
    union all
    select
        'escalation_rate', project_id, cluster, arm, count(*) filter (outcome = 'escalated')::double,
        count(*) filter (outcome not in ('unknown', 'open'))::double
    from outcomes group by all
    union all
    select 'cost_per_session_usd', project_id, cluster, arm, sum(coalesce(cost_usd, 0)), count(*)::double
    from outcomes group by all
    union all
    select 'turns_per_session', project_id, cluster, arm, sum(turns)::double, count(*)::double
    from outcomes group by all
),

paired as (
    select t.*, c.x as cx, c.y as cy
    from per_cluster as t
    left join per_cluster as c
        on t.metric = c.metric and t.project_id = c.project_id and t.cluster = c.cluster and c.arm = $control
            and t.arm <> $control and c.y > 0
    where t.y > 0
)

select
    metric, arm,
    count(*) as clusters,
    sum(x) as x, sum(y) as y, sum(x * x) as xx, sum(x * y) as xy, sum(y * y) as yy,
    coalesce(sum(cx * x), 0.0) as c_xx, coalesce(sum(cx * y), 0.0) as c_xy,
    coalesce(sum(cy * x), 0.0) as c_yx, coalesce(sum(cy * y), 0.0) as c_yy,
    count(cx) as in_both
from paired
group by metric, arm
order by metric, arm
