-- grain: one row per touched trace
-- key: trace_key
-- The name that rows carry for their trace, else that of the root, else that of the topmost row of work.
-- source: int_trace_context, int_roots, stg.observations
select
    context.trace_key,
    coalesce(context.propagated_name, root.name, top.name) as name
from int_trace_context as context
inner join int_roots as roots using (trace_key)
inner join stg.observations as root on root.span_key = roots.root_key
left join stg.observations as top on top.span_key = roots.top_key
