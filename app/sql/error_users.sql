-- Users that errors struck, most often first. Grain: (project_id, user_id); who is not known is left out. Times UTC.
-- Reads `selected`: observations that the filters pick, all of their error groups. $limit NULL: every user.
select
    o.project_id, o.user_id,
    count(*) as occurrences,
    count(distinct o.trace_id) as traces,
    count(distinct o.trace_id) filter (t.is_failed) as failed_traces,
    count(distinct o.session_id) as sessions,
    min(o.start_time) as first_struck,
    max(o.start_time) as last_struck,
    count(*) over () as total
from selected as o
join marts.traces as t using (project_id, trace_id)
where o.error_group_id is not null and o.is_error and not o.is_propagated and o.user_id is not null
    -- what a trace holds begins no more than 30 days after it
    and t.start_time >= $start
group by o.project_id, o.user_id
order by occurrences desc, last_struck desc, o.user_id
limit $limit
