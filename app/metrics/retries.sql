-- grain: one row per TOOL observation that repeats an earlier call of its trace which ended in ERROR:
--   the same tool with the same arguments. Arguments that are not stored count as the same.
-- source: marts.observations, marts.payloads
select project_id, trace_id, observation_id
from (
    select
        o.project_id,
        o.trace_id,
        o.observation_id,
        bool_or(o.is_error) over (
            partition by o.project_id, o.trace_id, o.tool_name, p.input
            order by o.start_time, o.observation_id
            rows between unbounded preceding and 1 preceding
        ) as is_retry
    from marts.observations o
    semi join (select project_id, trace_id from marts.observations where type = 'TOOL' and is_error) f
        on f.project_id = o.project_id and f.trace_id = o.trace_id
    left join marts.payloads p
        on p.project_id = o.project_id and p.trace_id = o.trace_id and p.observation_id = o.observation_id
    where o.type = 'TOOL' and not o.is_synthetic
)
where is_retry
