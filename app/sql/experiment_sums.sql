-- Sums over clusters for the difference of ratio metrics between arms. Grain: (metric, arm).
-- Reads `per_cluster`: (metric, project_id, cluster, arm, x, y), the metric being sum(x) / sum(y), and `before`: (metric,
-- project_id, cluster, p, r), the same pair of the cluster before the test. c_* are sums of products with the same
-- cluster's pair in the arm $control. Of the metrics in $capped a cluster's own ratio is at most the $winsorise quantile
-- of all clusters' ratios. Units of x: USD, ms, tokens, score points, or counts; of y: counts (tokens, ms in a few).
with caps as (
    select metric, quantile_cont(x / y, coalesce($winsorise::double, 1.0)) as cap
    from per_cluster
    where $winsorise is not null and list_contains($capped::varchar[], metric) and y > 0
    group by metric
),

capped as (
    select
        p.metric, p.project_id, p.cluster, p.arm, p.y,
        case when k.cap is null then p.x else least(p.x, k.cap * p.y) end as x
    from per_cluster as p
    left join caps as k using (metric)
    where p.y > 0 or p.x <> 0
),

paired as (
    select t.*, c.x as cx, c.y as cy, coalesce(b.p, 0.0) as p, coalesce(b.r, 0.0) as r
    from capped as t
    left join capped as c
        on t.metric = c.metric and t.project_id = c.project_id and t.cluster = c.cluster and c.arm = $control
            and t.arm <> $control
    left join before as b
        on t.metric = b.metric and t.project_id = b.project_id and t.cluster = b.cluster
)

select
    metric, arm,
    count(*) as clusters,
    sum(x) as x, sum(y) as y, sum(x * x) as xx, sum(x * y) as xy, sum(y * y) as yy,
    coalesce(sum(cx * x), 0.0) as c_xx, coalesce(sum(cx * y), 0.0) as c_xy,
    coalesce(sum(cy * x), 0.0) as c_yx, coalesce(sum(cy * y), 0.0) as c_yy,
    count(cx) as in_both,
    sum(p) as p, sum(r) as r, sum(p * p) as pp, sum(p * r) as pr, sum(r * r) as rr,
    sum(x * p) as xp, sum(x * r) as xr, sum(y * p) as yp, sum(y * r) as yr,
    count(*) filter (r <> 0 or p <> 0) as known_before,
    max(x) as largest
from paired
group by metric, arm
order by metric, arm
