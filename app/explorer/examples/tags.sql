-- Traces and cost by tag
select
    tag,
    count(*) as traces,
    sum(cost_usd) as cost_usd,
    avg(latency_ms) as latency_mean_ms
from (select unnest(tags) as tag, cost_usd, latency_ms from marts.traces)
group by tag
order by traces desc
