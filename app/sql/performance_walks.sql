-- What each trace did in the steps of a funnel. Grain: (project_id, trace_id, step); steps are numbered from 1.
-- Reads `selected`: traces. $patterns (lower case, with * and ?), $is_type and $steps say what belongs to which step; the
-- first step that matches counts. The root is the agent itself and no step; what runs inside another step is part of it.
-- time_ms counts overlapping time once. retries: the step again right after an ERROR of it. loops: entered again after a
-- later step. furthest is the last step that the trace got to; has_first whether it did the first.
with recursive spans as (
    select
        o.project_id, o.trace_id, o.observation_id, o.parent_observation_id, o.is_root, o.name, o.type, o.start_time,
        greatest(coalesce(o.end_time, o.start_time), o.start_time) as end_time, o.is_error
    from marts.observations as o
    semi join selected as s on s.project_id = o.project_id and s.trace_id = o.trace_id
    where not o.is_synthetic
),

known as (
    select n.name, n.type, min(p.step) as step
    from (select distinct name, type from spans) as n
    join (select unnest($patterns) as pattern, unnest($is_type) as is_type, unnest($steps) as step) as p
        on case when p.is_type then lower(n.type) else lower(n.name) end glob p.pattern
    group by n.name, n.type
),

stepped as (
    select s.*, if(s.is_root, null, k.step) as step
    from spans as s
    left join known as k on k.name is not distinct from s.name and k.type = s.type
),

-- From each matched row up to the next matched one; clients also send parents that are missing or go round in a circle.
climb as (
    select project_id, trace_id, observation_id, parent_observation_id as above, 1 as depth
    from stepped where step is not null and parent_observation_id is not null
    union all
    select c.project_id, c.trace_id, c.observation_id, p.parent_observation_id, c.depth + 1
    from climb as c
    join stepped as p on p.project_id = c.project_id and p.trace_id = c.trace_id and p.observation_id = c.above
    where p.step is null and p.parent_observation_id is not null and c.depth < 30
),

inside as (
    select c.project_id, c.trace_id, c.observation_id
    from climb as c
    join stepped as p on p.project_id = c.project_id and p.trace_id = c.trace_id and p.observation_id = c.above
    where p.step is not null
),

ordered as (
    select
        *,
        lag(step) over walk as step_before,
        max(step) over (walk rows between unbounded preceding and 1 preceding) as furthest_before,
        lag(is_error) over same as failed_before,
        max(end_time) over (same rows between unbounded preceding and 1 preceding) as done_until
    from stepped
    anti join inside using (project_id, trace_id, observation_id)
    where step is not null
    window
        walk as (partition by project_id, trace_id order by start_time, step, end_time, observation_id),
        same as (partition by project_id, trace_id, step order by start_time, end_time, observation_id)
)

select
    project_id, trace_id, step,
    min(start_time) as entered_at,
    sum(greatest(0, date_diff('microsecond', greatest(start_time, coalesce(done_until, start_time)), end_time))) / 1000
        as time_ms,
    count(*) filter (failed_before) as retries,
    count(*) filter (step_before <> step and furthest_before > step) as loops,
    max(step) over (partition by project_id, trace_id) as furthest,
    min(step) over (partition by project_id, trace_id) = 1 as has_first
from ordered
group by project_id, trace_id, step
