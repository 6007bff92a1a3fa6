-- What each day adds to the sums over clusters of one metric's running totals. Grain: (arm, day), UTC days with traffic.
-- Reads `per_cluster`: (metric, project_id, cluster, arm, day, x, y). Summed up to a day the columns are those of
-- experiment_sums at the end of it: a cluster's running total s after an increment x adds s^2 - (s - x)^2 to the squares.
with running as (
    select
        project_id, cluster, arm, day, x, y,
        sum(x) over one as sx, sum(y) over one as sy
    from per_cluster
    window one as (partition by project_id, cluster, arm order by day)
),

own as (
    select
        arm, day,
        count(*) filter (sy > 0 and sy - y <= 0) as clusters,
        sum(x) as x, sum(y) as y,
        sum(sx * sx - (sx - x) * (sx - x)) as xx,
        sum(sx * sy - (sx - x) * (sy - y)) as xy,
        sum(sy * sy - (sy - y) * (sy - y)) as yy
    from running
    group by arm, day
),

shared as (
    select distinct t.arm, t.project_id, t.cluster
    from per_cluster as t
    semi join (select project_id, cluster from per_cluster where arm = $control) as c using (project_id, cluster)
    where t.arm <> $control
),

events as (
    select arm, project_id, cluster, day, x as tx, y as ty, 0.0 as cx, 0.0 as cy
    from per_cluster join shared using (arm, project_id, cluster)
    union all
    select s.arm, c.project_id, c.cluster, c.day, 0.0, 0.0, c.x, c.y
    from per_cluster as c join shared as s using (project_id, cluster)
    where c.arm = $control
),

daily as (
    select arm, project_id, cluster, day, sum(tx) as tx, sum(ty) as ty, sum(cx) as cx, sum(cy) as cy
    from events
    group by all
),

together as (
    select *, sum(tx) over one as stx, sum(ty) over one as sty, sum(cx) over one as scx, sum(cy) over one as scy
    from daily
    window one as (partition by arm, project_id, cluster order by day)
),

crossed as (
    select
        arm, day,
        sum(scx * stx - (scx - cx) * (stx - tx)) as c_xx, sum(scx * sty - (scx - cx) * (sty - ty)) as c_xy,
        sum(scy * stx - (scy - cy) * (stx - tx)) as c_yx, sum(scy * sty - (scy - cy) * (sty - ty)) as c_yy,
        count(*) filter (sty > 0 and scy > 0 and (sty - ty <= 0 or scy - cy <= 0)) as in_both
    from together
    group by arm, day
)

select
    coalesce(o.arm, c.arm) as arm, coalesce(o.day, c.day) as day,
    coalesce(clusters, 0) as clusters,
    coalesce(x, 0.0) as x, coalesce(y, 0.0) as y, coalesce(xx, 0.0) as xx, coalesce(xy, 0.0) as xy,
    coalesce(yy, 0.0) as yy, coalesce(c_xx, 0.0) as c_xx, coalesce(c_xy, 0.0) as c_xy, coalesce(c_yx, 0.0) as c_yx,
    coalesce(c_yy, 0.0) as c_yy, coalesce(in_both, 0) as in_both
from own as o
full join crossed as c on o.arm = c.arm and o.day = c.day
order by arm, day
