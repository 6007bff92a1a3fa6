-- How the clusters' own values x / y of one metric spread. Grain: (arm, bin). Reads `per_cluster`, as experiment_sums.
-- $bins bins of equal width from the smallest value to the 99th percentile of all arms; the last one holds what is above.
-- low and high are a bin's edges in the metric's unit; count is clusters, share is of the arm's clusters.
with own as (
    select arm, x / y as v
    from per_cluster
    where y > 0
),

edges as (
    select min(v) as low, quantile_cont(v, 0.99) as high
    from own
),

binned as (
    select
        arm,
        case when high > low then least($bins - 1, floor($bins * (v - low) / (high - low))) else 0 end::integer as bin
    from own cross join edges
)

select
    b.arm, b.bin,
    e.low + b.bin * (e.high - e.low) / $bins as low,
    e.low + (b.bin + 1) * (e.high - e.low) / $bins as high,
    count(*) as count,
    count(*) / sum(count(*)) over (partition by b.arm) as share
from binned as b
cross join edges as e
group by b.arm, b.bin, e.low, e.high
order by b.arm, b.bin
