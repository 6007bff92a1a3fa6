-- Where one group strikes more often: traces with the group among all traces, by value of some dimensions.
-- Grain: (dimension, value). Reads `selected`: the traces of the window (project_id, trace_id).
-- hit: traces with the group; exposed: traces with the value. A trace counts under each model it used.
with struck as (
    select distinct project_id, trace_id
    from marts.observations
    where error_group_id = $group and is_error and not is_propagated
),

traces as (
    select t.*, struck.trace_id is not null as is_hit
    from marts.traces as t
    semi join selected using (project_id, trace_id)
    left join struck using (project_id, trace_id)
),

spread as (
    select 'model' as dimension, unnest(models) as value, is_hit from traces
    union all
    select 'release', release, is_hit from traces
    union all
    select 'trace_name', name, is_hit from traces
    union all
    select 'environment', environment, is_hit from traces
    union all
    select 'prompt_version', prompt_name || ' v' || prompt_version, is_hit from traces
)

select
    dimension, value,
    count(*) filter (is_hit) as hit,
    count(*) as exposed,
    (select count(*) from traces where is_hit) as all_hit,
    (select count(*) from traces) as all_exposed
from spread
where value is not null
group by dimension, value
having count(*) filter (is_hit) > 0
order by hit desc, dimension, value
