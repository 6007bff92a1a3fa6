-- The different messages of one group, the most frequent first. Grain: one row per message text. Times UTC.
-- Reads `selected`: observations that the filters pick.
select
    left(coalesce(o.status_message, ''), 4000) as message,
    count(*) as occurrences,
    max(o.start_time) as last_seen,
    count(*) over () as variants
from selected as o
where o.error_group_id = $group and o.is_error and not o.is_propagated
group by message
order by occurrences desc, last_seen desc
limit $limit
