-- grain: one row per observation whose dollars went into doing again what its trace had done: a TOOL with the same tool
--   and arguments as an earlier one, and the generation that asked for it (the last that began between the two).
-- is_retry: an earlier such call had ended in ERROR; else it is a loop. Calls whose arguments are not stored don't count.
-- source: marts.observations, marts.payloads
with tools as (
    select project_id, trace_id, observation_id, start_time, is_error, tool_name
    from marts.observations
    semi join (select project_id, trace_id from marts.traces where tool_call_count > 1) using (project_id, trace_id)
    where type = 'TOOL' and not is_synthetic
    qualify count(*) over (partition by project_id, trace_id, tool_name) > 1
),

placed as (
    select
        t.*,
        lag(t.start_time) over same as earlier,
        coalesce(bool_or(t.is_error) over (same rows between unbounded preceding and 1 preceding), false) as is_retry
    from tools t
    join marts.payloads p
        on p.project_id = t.project_id and p.trace_id = t.trace_id and p.observation_id = t.observation_id
    where p.input is not null
    window same as (
        partition by t.project_id, t.trace_id, t.tool_name, md5(p.input) order by t.start_time, t.observation_id
    )
),

repeated as (select * from placed where earlier is not null),

-- Calls and repeats in one order, so that each repeat sees the call before it: an ASOF join takes ten times as long.
events as (
    select project_id, trace_id, observation_id, start_time, 1 as place, earlier, is_retry from repeated
    union all
    select g.project_id, g.trace_id, g.observation_id, g.start_time, 0, null, null
    from marts.observations g
    semi join repeated r on r.project_id = g.project_id and r.trace_id = g.trace_id
    where g.type = 'GENERATION' and not g.is_double_counted
),

asked as (
    select
        *,
        last_value(if(place = 0, observation_id, null) ignore nulls) over before as call_id,
        max(if(place = 0, start_time, null)) over before as call_start
    from events
    window before as (
        partition by project_id, trace_id order by start_time, place, observation_id
        rows between unbounded preceding and current row
    )
),

costly as (
    select project_id, trace_id, observation_id, is_retry from repeated
    union all
    select project_id, trace_id, call_id, is_retry from asked where place = 1 and call_start > earlier
)

select project_id, trace_id, observation_id, bool_or(is_retry) as is_retry from costly group by all
