-- Sessions by outcome and week
select
    date_trunc('week', start_time) as week,
    outcome,
    count(*) as sessions,
    avg(turns) as turns_mean,
    sum(cost_usd) as cost_usd
from marts.sessions
group by all
order by week, sessions desc
