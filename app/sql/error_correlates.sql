-- Where some groups strike more often: traces with one of $groups among those of the same trace names, by value of some
-- dimensions; the names themselves among all traces. Without that a model that only one feature uses would stand out.
-- Grain: (dimension, value). Reads `selected`: the traces that the filters pick; $start: of their window.
-- hit: traces with a group; exposed: traces with the value. A trace counts under each model, tool and tag it has.
-- Of each dimension the 20 values with most hits. input_size: the quarter of a trace name's traces with most input tokens.
with struck as (
    select distinct project_id, trace_id
    from marts.observations
    where error_group_id in (select unnest($groups::varchar[])) and is_error and not is_propagated
        and start_time >= $start
),

traces as (
    select
        t.project_id, t.trace_id, t.name, t.models, t.providers, t.tags, t.release, t.environment,
        t.prompt_name || ' v' || t.prompt_version as prompt_version,
        struck.trace_id is not null as is_hit,
        t.input_tokens > 0
            and percent_rank() over (partition by t.name, t.input_tokens > 0 order by t.input_tokens) > 0.75 as is_long
    from selected as t
    left join struck using (project_id, trace_id)
),

alike as (from traces where coalesce(name, '') in (select coalesce(name, '') from traces where is_hit)),

spread as (
    select 'model' as dimension, unnest(models) as value, is_hit from alike
    union all
    select 'provider', unnest(providers), is_hit from alike
    union all
    select 'release', release, is_hit from alike
    union all
    select 'trace_name', name, is_hit from traces
    union all
    select 'environment', environment, is_hit from alike
    union all
    select 'prompt_version', prompt_version, is_hit from alike
    union all
    select 'tag', unnest(list_distinct(tags)), is_hit from alike
    union all
    select 'input_size', 'longest quarter', is_hit from alike where is_long
    union all
    select 'tool', tool_name, is_hit from (
        select distinct t.project_id, t.trace_id, o.tool_name, t.is_hit
        from marts.observations as o
        join alike as t using (project_id, trace_id)
        where o.tool_name is not null and not o.is_synthetic and o.start_time >= $start
    )
),

counted as (
    select dimension, value, count(*) filter (is_hit) as hit, count(*) as exposed
    from spread
    where value is not null
    group by dimension, value
)

select
    *,
    (select count(*) from traces where is_hit) as all_hit,
    if(dimension = 'trace_name', (select count(*) from traces), (select count(*) from alike)) as all_exposed
from counted
where hit > 0
qualify row_number() over (partition by dimension order by hit desc, exposed, value) <= 20
order by hit desc, dimension, value
