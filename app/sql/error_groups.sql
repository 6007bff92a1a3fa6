-- Error groups with their occurrences among the observations that the filters pick. Grain: (project_id, error_group_id).
-- Reads `selected`: observations that the filters pick. An occurrence is an ERROR without an ERROR below it.
-- $start, $end: the window, no earlier and later than the data.
-- $class and $state keep one of each, $text those that say it anywhere; NULL or '' keeps all. $limit NULL: every group.
-- first_seen, last_seen and state cover all history; the counts cover the selection. Times UTC, cost USD.
-- daily holds the occurrences of each of the $buckets equal parts of the window, oldest first.
-- wasted_usd: traces struck that failed, and the retries of traces struck (the session's next trace within 10 minutes, of
-- the same name); each trace once.
with occurrences as materialized (
    select
        o.project_id, o.error_group_id, o.trace_id, o.session_id, o.user_id,
        contains(lower(coalesce(o.status_message, '')), lower($text)) as says_it,
        least(
            $buckets - 1,
            floor(
                date_diff('millisecond', $start::timestamp, o.start_time)::double * $buckets
                / greatest(1, date_diff('millisecond', $start::timestamp, $end::timestamp))
            )
        )::integer as bucket
    from selected as o
    where o.is_error and not o.is_propagated and o.error_group_id is not null
),

counted as (
    select
        project_id, error_group_id,
        count(*) as occurrences,
        count(distinct trace_id) as traces,
        count(distinct session_id) as sessions,
        count(distinct user_id) as users,
        bool_or(says_it) as says_it,
        histogram(bucket) as by_bucket
    from occurrences
    group by project_id, error_group_id
),

struck as materialized (
    select s.project_id, s.error_group_id, t.trace_id, t.name, t.session_id, t.turn_index, t.start_time, t.cost_usd, t.is_failed
    from (select distinct project_id, error_group_id, trace_id from occurrences) as s
    join marts.traces as t using (project_id, trace_id)
    -- what a trace holds begins no earlier than it, and no more than 30 days later
    where t.start_time >= $start - interval 30 days and t.start_time < $end
),

wasted as (
    select project_id, error_group_id, trace_id, cost_usd from struck where is_failed
    union
    select s.project_id, s.error_group_id, n.trace_id, n.cost_usd
    from struck as s
    join marts.traces as n
        on n.project_id = s.project_id and n.session_id = s.session_id and n.turn_index = s.turn_index + 1
            and n.name is not distinct from s.name and n.start_time <= s.start_time + interval 10 minutes
    where n.start_time >= $start - interval 30 days
),

failed as (
    select project_id, error_group_id, count(*) filter (is_failed) as failed_traces from struck group by all
),

spent as (
    select project_id, error_group_id, sum(cost_usd) as wasted_usd from wasted group by all
)

select
    g.project_id, g.error_group_id, g.title, g.error_class, g.state, c.occurrences,
    [coalesce(c.by_bucket[i], 0) for i in range($buckets)] as daily, g.first_seen, g.last_seen,
    c.traces, c.sessions, c.users, f.failed_traces, s.wasted_usd, g.sample_message,
    count(*) over () as total
from counted as c
join marts.error_groups as g using (project_id, error_group_id)
left join failed as f using (project_id, error_group_id)
left join spent as s using (project_id, error_group_id)
where ($class is null or g.error_class = $class) and ($state is null or g.state = $state)
    and (c.says_it or contains(lower(g.title), lower($text)))
order by c.occurrences desc, g.project_id, g.error_group_id
limit $limit
