-- Cost per model and day
select
    date_trunc('day', start_time) as day,
    coalesce(model, '(none)') as model,
    sum(cost_usd) as cost_usd,
    count(*) as calls
from marts.observations
where type in ('GENERATION', 'EMBEDDING')
    and start_time >= (select max(as_of) from meta.as_of) - interval 14 days
group by all
order by day, cost_usd desc nulls last
