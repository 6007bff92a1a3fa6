-- What traces of a funnel ended with. Grain: (project_id, trace_id), of those that began with the first step.
-- Reads `walks` (see performance_walks.sql). ended_with is the class of the last error of a trace that failed for the user,
-- else the message of its root's WARNING (a cancellation, for example), else whether it got to the last step ($last).
with begun as (select project_id, trace_id, furthest from walks where has_first and step = 1),

notes as (
    select
        o.project_id, o.trace_id,
        max(coalesce(o.status_message, 'a warning')) filter (o.is_root and o.level = 'WARNING') as warning,
        max_by(o.error_group_id, o.start_time) filter (o.is_error and not o.is_propagated) as error_group_id
    from marts.observations as o
    semi join begun as b on b.project_id = o.project_id and b.trace_id = o.trace_id
    where o.is_error or o.level = 'WARNING'
    group by all
)

select
    b.project_id, b.trace_id,
    case
        when t.is_failed then 'error: ' || coalesce(replace(g.error_class, '_', ' '), 'unknown')
        when n.warning is not null then left(n.warning, 100)
        when b.furthest = $last then 'completed'
        else 'ended without a failure'
    end as ended_with
from begun as b
join marts.traces as t using (project_id, trace_id)
left join notes as n using (project_id, trace_id)
left join marts.error_groups as g on g.project_id = b.project_id and g.error_group_id = n.error_group_id
