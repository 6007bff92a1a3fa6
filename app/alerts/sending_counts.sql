-- How many notices of [since, until) of event time stand how in each channel, and when the last one ended.
select channel, status, count(*) as notices, max(ended_at) as last
from alert_history
join alert_deliveries using (notice_id)
where alert_history.at >= :since and alert_history.at < :until
group by channel, status
order by channel, status
