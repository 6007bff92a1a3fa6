-- Sums over units, from which a mean or a share and its error follow. Reads `judged` (score_judged.sql).
-- Grain: (is_now, label, part, bucket); is_now: from $since on, before that it is the period before. The rows with is_total are over all buckets and parts. bucket: the start of the hour,
-- day, week or month of $grain on the display zone's clock: UTC plus $offsets[1], [2] from $changes[1] on, and so on.
with timed as (
    select
        project_id || ' ' || unit as unit, label, part, x, scored_at >= $since as is_now,
        date_trunc($grain, scored_at + to_seconds(list_extract($offsets::bigint[], 1 + len(list_filter($changes::timestamp[], lambda moment: moment <= scored_at))))) as bucket
    from judged
),

per_unit as (
    select is_now, label, bucket, part, unit, grouping(bucket, part) as level, sum(x) as x, count(*) as n
    from timed
    group by grouping sets ((is_now, label, unit), (is_now, label, bucket, unit), (is_now, label, part, unit))
)

select
    is_now, label, bucket::timestamp as bucket, part, level = 3 as is_total, level = 2 as is_part,
    count(*) as clusters, sum(x) as x, sum(n)::double as n, sum(x * x) as xx, sum(x * n) as xn, sum(n * n)::double as nn
from per_unit
group by is_now, label, bucket, part, level
order by is_total desc, is_part desc, n desc, bucket, label, part
