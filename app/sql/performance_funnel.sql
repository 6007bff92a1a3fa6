-- A funnel: how far traces got. Grain: (step, ended_with): what the traces that got no further than a step ended with.
-- Reads `walks` and `ends` (see performance_walks.sql, performance_ends.sql). Steps from 1; durations ms.
-- The step's own figures stand in each of its rows. traces: that began with the first step; without_first: that did
-- later steps only; skipped: that have a later step but not this one.
with begun as (select * from walks where has_first),

whole as (
    select
        count(*) filter (has_first and step = 1) as traces,
        count(distinct (project_id, trace_id)) filter (not has_first) as without_first
    from walks
),

furthest as (select furthest, count(*) as n from begun where step = 1 group by furthest),

steps as (
    select
        step,
        count(*) as reached,
        count(*) filter (furthest = step) as exits,
        count(*) filter (retries > 0) as retried_traces, sum(retries)::bigint as retries,
        count(*) filter (loops > 0) as looped_traces, sum(loops)::bigint as loops,
        quantile_cont(time_ms, 0.5) as time_p50_ms,
        quantile_cont(time_ms, 0.95) as time_p95_ms
    from begun
    group by step
),

ended as (
    select b.step, e.ended_with, count(*) as ended
    from begun as b
    join ends as e using (project_id, trace_id)
    where b.furthest = b.step
    group by all
)

select
    s.*, w.traces, w.without_first,
    coalesce((select sum(f.n) from furthest as f where f.furthest > s.step), 0)::bigint - (s.reached - s.exits) as skipped,
    e.ended_with, e.ended
from steps as s
cross join whole as w
left join ended as e using (step)
order by s.step, e.ended desc, e.ended_with
