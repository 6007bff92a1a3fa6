-- Users with the most failed traces
select
    user_id,
    count(*) as traces,
    count(*) filter (where is_failed) as failed,
    sum(cost_usd) as cost_usd,
    max(start_time) as last_seen
from marts.traces
where user_id is not null
group by user_id
order by failed desc, traces desc
limit 100
