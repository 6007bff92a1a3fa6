-- What an engineer would write by hand for questions that pages ask. One statement per name; `$start`, `$end` and
-- `$before` bound the period and the one it is compared with.

-- name: cost by model, ten and other, compared
with costs as (
    select
        coalesce(model, '(none)') as model,
        sum(cost_usd) filter (start_time >= $start) as cost_usd,
        sum(cost_usd) filter (start_time < $start) as previous
    from marts.observations
    where not is_synthetic and start_time >= $before and start_time < $end
        and (environment is null or not starts_with(environment, 'langfuse-'))
    group by all
),

ranked as (select *, row_number() over (order by cost_usd desc nulls last, model) as place from costs)

select if(place <= 10, model, 'other') as model, sum(cost_usd) as cost_usd, sum(previous) as previous
from ranked
group by all
having sum(cost_usd) is not null or sum(previous) is not null
union all
select 'total', sum(cost_usd), sum(previous) from costs;

-- name: traces, errors and p95 latency by day
with picked as (
    select date_trunc('day', start_time)::timestamp as day, is_error, latency_ms
    from marts.traces
    where start_time >= $start and start_time < $end
        and (environment is null or not starts_with(environment, 'langfuse-'))
)

select day, count(*) as traces, count_if(is_error) / count(*) as error_rate, quantile_cont(latency_ms, 0.95) as p95
from picked
group by grouping sets ((day), ());

-- name: traces and cost per trace by tag
with picked as (
    select unnest(if(len(tags) = 0, ['(none)'], list_distinct(tags))) as tag, cost_usd
    from marts.traces
    where start_time >= $start and start_time < $end
        and (environment is null or not starts_with(environment, 'langfuse-'))
)

select tag, count(*) as traces, sum(cost_usd) / count(*) as cost_per_trace_usd from picked group by tag
union all
select 'total', count(*), sum(cost_usd) / count(*)
from marts.traces
where start_time >= $start and start_time < $end
    and (environment is null or not starts_with(environment, 'langfuse-'));

-- name: sessions and resolved rate by feature
with picked as (
    select distinct s.project_id, s.session_id, s.outcome, coalesce(t.name, '(none)') as feature
    from marts.sessions s
    left join marts.traces t on t.project_id = s.project_id and t.session_id = s.session_id
    where s.start_time >= $start and s.start_time < $end
        and (s.environment is null or not starts_with(s.environment, 'langfuse-'))
)

select
    feature, count(*) as sessions,
    count_if(outcome = 'resolved') / count_if(outcome in ('resolved', 'escalated', 'abandoned')) as resolved_rate
from picked
group by feature
union all
select
    'total', count(*),
    count_if(outcome = 'resolved') / count_if(outcome in ('resolved', 'escalated', 'abandoned'))
from marts.sessions
where start_time >= $start and start_time < $end
    and (environment is null or not starts_with(environment, 'langfuse-'));
