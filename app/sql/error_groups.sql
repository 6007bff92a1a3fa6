-- Error groups with their occurrences among the observations that the filters pick. Grain: (project_id, error_group_id).
-- Reads `selected`: (project_id, trace_id, observation_id). An occurrence is an ERROR without an ERROR below it.
-- first_seen, last_seen and state cover all history; the counts cover the selection. Times UTC, cost USD.
-- daily holds the occurrences of each of the $buckets equal parts of the window, oldest first.
with occurrences as (
    select
        o.project_id, o.error_group_id, o.trace_id, o.session_id, o.user_id, o.start_time,
        least(
            $buckets - 1,
            floor(
                date_diff('millisecond', $start::timestamp, o.start_time)::double * $buckets
                / greatest(1, date_diff('millisecond', $start::timestamp, $end::timestamp))
            )
        )::integer as bucket
    from marts.observations as o
    semi join selected using (project_id, trace_id, observation_id)
    where o.is_error and not o.is_propagated and o.error_group_id is not null
),

counted as (
    select
        project_id, error_group_id,
        count(*) as occurrences,
        count(distinct trace_id) as traces,
        count(distinct session_id) as sessions,
        count(distinct user_id) as users,
        histogram(bucket) as by_bucket
    from occurrences
    group by project_id, error_group_id
),

failed as (
    select c.project_id, c.error_group_id, sum(t.cost_usd) as failed_cost_usd, count(*) as failed_traces
    from (select distinct project_id, error_group_id, trace_id from occurrences) as c
    join marts.traces as t using (project_id, trace_id)
    where t.is_failed
    group by c.project_id, c.error_group_id
)

select
    g.project_id, g.error_group_id, g.title, g.error_class, g.state, c.occurrences,
    [coalesce(c.by_bucket[i], 0) for i in range($buckets)] as daily, g.first_seen, g.last_seen,
    c.traces, c.sessions, c.users, coalesce(f.failed_traces, 0) as failed_traces, f.failed_cost_usd,
    count(*) over () as total
from counted as c
join marts.error_groups as g using (project_id, error_group_id)
left join failed as f using (project_id, error_group_id)
order by c.occurrences desc, g.project_id, g.error_group_id
limit $limit
