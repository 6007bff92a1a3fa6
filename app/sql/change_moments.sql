-- Sums from which a change can be told from chance. Grain: trace_name; the row of all of them is NULL.
-- Reads `selected`: traces that the filters pick. A unit that varies by itself is a user, else a session, else a trace:
-- requests of one person are alike, so they are no independent evidence. $satisfaction names the users' score.
-- x_: sum over traces; n_: how many it is about; xx, xn, nn: sums over units of the squares and of the product.
with scored as (
    select project_id, trace_id, avg(value) as value
    from marts.scores
    semi join selected using (project_id, trace_id)
    where name = $satisfaction
    group by all
),

traces as (
    select
        t.name,
        coalesce('u' || t.user_id, 's' || t.session_id, 't' || t.trace_id) as unit,
        coalesce(t.cost_usd, 0) as cost,
        t.is_error::int as error,
        if(t.latency_ms > 0, ln(t.latency_ms), null) as latency,
        s.value as satisfaction
    from selected t
    left join scored s on s.project_id = t.project_id and s.trace_id = t.trace_id
),

units as (
    select
        name, grouping(name) as is_all, unit,
        count(*)::double as n,
        sum(cost) as cost,
        sum(error)::double as error,
        coalesce(sum(latency), 0) as latency,
        count(latency)::double as latency_n,
        coalesce(sum(satisfaction), 0) as satisfaction,
        count(satisfaction)::double as satisfaction_n
    from traces
    group by grouping sets ((name, unit), (unit))
)

select
    if(is_all = 1, null, coalesce(name, '(none)')) as trace_name,
    is_all = 1 as is_all,
    count(*)::double as units,
    sum(n) as n, sum(n * n) as nn,
    sum(cost) as cost, sum(cost * cost) as cost_xx, sum(cost * n) as cost_xn, max(cost) as cost_max,
    sum(error) as error, sum(error * error) as error_xx, sum(error * n) as error_xn,
    sum(latency) as latency, sum(latency * latency) as latency_xx, sum(latency * latency_n) as latency_xn,
    sum(latency_n) as latency_n, sum(latency_n * latency_n) as latency_nn,
    sum(satisfaction) as satisfaction, sum(satisfaction * satisfaction) as satisfaction_xx,
    sum(satisfaction * satisfaction_n) as satisfaction_xn,
    sum(satisfaction_n) as satisfaction_n, sum(satisfaction_n * satisfaction_n) as satisfaction_nn
from units
group by 1, 2
