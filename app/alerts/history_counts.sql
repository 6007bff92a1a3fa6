-- How many rows the history has in [since, until) of event time, by rule and level.
select rule, level, count(*) as changes
from alert_history
where at >= :since and at < :until
group by rule, level
order by rule, level
