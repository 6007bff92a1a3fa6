-- What tools were called in a row, and whether the trace failed next. Grain: (kind, tools).
-- Reads `selected`: traces. A trace fails where its first ERROR begins; what it did from then on is left out, and so is the
-- call that failed. Counted are places in traces: that a long trace has more of them makes no difference then.
-- kind: sequence, or loop (the same tool with the same arguments each time). times: how often it was called; hit: how often
-- the trace failed before another call went well; traces: how many traces have it. all_*: the same over all places with as
-- many calls up to there, of the trace names that have the sequence: agents with other tools are not compared.
-- sequences: how many there are; example_*: a trace that failed after it. Called less than $least times: left out.
with failures as (
    select o.project_id, o.trace_id, min(o.start_time) as failed_at
    from marts.observations as o
    semi join selected as s on s.project_id = o.project_id and s.trace_id = o.trace_id
    where o.is_error and not o.is_propagated and not o.is_synthetic
    group by all
),

calls as (
    select
        o.project_id, o.trace_id, o.observation_id, coalesce(o.trace_name, '') as name, o.tool_name, o.start_time,
        f.failed_at is not null as has_failed
    from marts.observations as o
    semi join selected as s on s.project_id = o.project_id and s.trace_id = o.trace_id
    left join failures as f on f.project_id = o.project_id and f.trace_id = o.trace_id
    where o.type = 'TOOL' and not o.is_synthetic and o.tool_name is not null
        and (f.failed_at is null or o.start_time < f.failed_at)
    qualify count(*) over (partition by o.project_id, o.trace_id) > 1
),

placed as (
    select
        c.project_id, c.trace_id, c.name, c.tool_name as t0, md5(p.input) as a0,
        c.has_failed and lead(c.observation_id) over follows is null as fails,
        lag(c.tool_name) over follows as t1, lag(c.tool_name, 2) over follows as t2,
        lag(md5(p.input)) over follows as a1, lag(md5(p.input), 2) over follows as a2
    from calls as c
    left join marts.payloads as p using (project_id, trace_id, observation_id)
    window follows as (partition by c.project_id, c.trace_id order by c.start_time, c.observation_id)
),

grams as (
    select 'sequence' as kind, 2 as length, [t1, t0] as tools, name, project_id, trace_id, fails
    from placed where t1 is not null
    union all
    select 'sequence', 3, [t2, t1, t0], name, project_id, trace_id, fails from placed where t2 is not null
    union all
    select 'loop', 2, [t1, t0], name, project_id, trace_id, fails from placed where t1 = t0 and a1 = a0
    union all
    select 'loop', 3, [t2, t1, t0], name, project_id, trace_id, fails
    from placed where t2 = t0 and t1 = t0 and a2 = a0 and a1 = a0
),

by_trace as (
    select kind, length, tools, name, project_id, trace_id, count(*) as times, count(*) filter (fails) as hit
    from grams
    group by all
),

by_name as (
    select
        kind, length, tools, name, count(*) as traces, sum(times) as times, sum(hit) as hit,
        max((project_id, trace_id)) filter (hit > 0) as example
    from by_trace
    group by kind, length, tools, name
),

whole as (
    select length, name, sum(times) as all_times, sum(hit) as all_hit
    from by_name
    where kind = 'sequence'
    group by length, name
)

select
    kind, tools,
    sum(times)::bigint as times, sum(hit)::bigint as hit, sum(traces)::bigint as traces,
    sum(all_times)::bigint as all_times, sum(all_hit)::bigint as all_hit,
    max(example)[1] as example_project_id, max(example)[2] as example_trace_id,
    (select count(distinct (kind, tools)) from by_name) as sequences
from by_name
join whole using (length, name)
group by kind, tools
having sum(times) >= $least
order by times desc, kind, tools
limit $limit
