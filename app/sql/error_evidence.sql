-- What the occurrences of some groups have in common. One row. Reads `selected`: observations that the filters pick.
-- Shares are of the occurrences, 0 to 1; top_* the commonest value; NULL without any. Hours and minutes are UTC; latencies ms.
-- busy: minutes with 3 or more of them; on_the_hour: the first minute of an hour; at_limit: latencies from just below to 5 %
-- above round_limit_ms, the round number that most of them are at.
with occurrences as materialized (
    select o.trace_id, o.user_id, o.start_time, o.model, o.latency_ms, coalesce(o.tool_name, o.name, lower(o.type)) as step
    from selected as o
    where o.error_group_id in (select unnest($groups::varchar[])) and o.is_error and not o.is_propagated
),

minutes as (
    select date_trunc('minute', start_time) as minute, count(*) as n from occurrences group by minute
),

limits as (
    select 1000 * seconds as round_limit_ms, count(*) as n
    from occurrences
    cross join (select unnest([1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 600, 900]) as seconds)
    where latency_ms between 995 * seconds and 1050 * seconds
    group by seconds
    order by n desc, seconds
    limit 1
)

select
    count(*) as occurrences,
    count(distinct trace_id) as traces,
    count(distinct user_id) as users,
    count(distinct start_time::date) as days,
    coalesce((select sum(n) from minutes where n >= 3), 0)::double / greatest(1, count(*)) as busy_share,
    count(*) filter (minute(start_time) = 0)::double / greatest(1, count(*)) as on_the_hour_share,
    mode(hour(start_time)) as top_hour,
    count(*) filter (hour(start_time) = (select mode(hour(start_time)) from occurrences))::double / greatest(1, count(*))
        as top_hour_share,
    mode(model) as top_model,
    count(*) filter (model = (select mode(model) from occurrences))::double / greatest(1, count(*)) as top_model_share,
    mode(step) as top_step,
    count(*) filter (step = (select mode(step) from occurrences))::double / greatest(1, count(*)) as top_step_share,
    mode(user_id) as top_user,
    count(*) filter (user_id = (select mode(user_id) from occurrences))::double / greatest(1, count(*)) as top_user_share,
    median(latency_ms)::double as latency_p50_ms,
    (select round_limit_ms from limits)::double as round_limit_ms,
    coalesce((select n from limits), 0)::double / greatest(1, count(latency_ms)) as at_limit_share
from occurrences
