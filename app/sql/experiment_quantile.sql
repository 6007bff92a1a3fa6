-- A quantile of each arm and how uncertain its place is. Grain: arm. Reads `measured`: (project_id, cluster, arm, v).
-- value is the $probability quantile of v in the arm; per cluster x counts rows at or below it and y rows; c_* as in
-- experiment_sums.
with places as (
    select arm, quantile_cont(v, $probability) as value
    from measured
    group by arm
),

per_cluster as (
    select m.project_id, m.cluster, m.arm, count_if(m.v <= a.value)::double as x, count(*)::double as y
    from measured as m
    join places as a using (arm)
    group by m.project_id, m.cluster, m.arm
),

paired as (
    select t.*, c.x as cx, c.y as cy
    from per_cluster as t
    left join per_cluster as c
        on t.project_id = c.project_id and t.cluster = c.cluster and c.arm = $control and t.arm <> $control
)

select
    p.arm, any_value(a.value) as value,
    count(*) as clusters,
    sum(x) as x, sum(y) as y, sum(x * x) as xx, sum(x * y) as xy, sum(y * y) as yy,
    coalesce(sum(cx * x), 0.0) as c_xx, coalesce(sum(cx * y), 0.0) as c_xy,
    coalesce(sum(cy * x), 0.0) as c_yx, coalesce(sum(cy * y), 0.0) as c_yy,
    count(cx) as in_both
from paired as p
join places as a using (arm)
group by p.arm
order by p.arm
