-- Steps that take longest, with their 95th percentile
select
    type,
    name,
    count(*) as calls,
    quantile_cont(latency_ms, 0.5) as p50_ms,
    quantile_cont(latency_ms, 0.95) as p95_ms,
    avg(is_error::int) as error_rate
from marts.observations
where not is_synthetic
group by all
having count(*) >= 20
order by p95_ms desc nulls last
limit 50
