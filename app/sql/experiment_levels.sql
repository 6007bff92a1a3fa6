-- Ratings of ordered and categorical scores in clusters. Grain: (metric, arm, other, level, other_level).
-- Reads `per_level`: (metric, project_id, cluster, arm, level, n). products is the sum over clusters of ratings at level
-- in arm times ratings at other_level in other, where other is the arm itself or $control; count are the arm's ratings at
-- level, clusters its clusters with any rating.
with sizes as (
    select metric, arm, count(distinct (project_id, cluster)) as clusters
    from per_level
    group by metric, arm
),

counts as (
    select metric, arm, level, sum(n) as count
    from per_level
    group by metric, arm, level
)

select
    a.metric, a.arm, b.arm as other, a.level, b.level as other_level,
    sum(a.n * b.n)::double as products,
    any_value(c.count)::double as count, any_value(s.clusters) as clusters
from per_level as a
join per_level as b
    on a.metric = b.metric and a.project_id = b.project_id and a.cluster = b.cluster and b.arm in (a.arm, $control)
join counts as c on a.metric = c.metric and a.arm = c.arm and a.level = c.level
join sizes as s on a.metric = s.metric and a.arm = s.arm
group by a.metric, a.arm, b.arm, a.level, b.level
order by all
