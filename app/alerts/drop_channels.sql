update alert_deliveries
set status = 'given_up', ended_at = :now, error = 'The channel is not configured any more'
where status in ('waiting', 'sending') and channel not in (select value from json_each(:channels))
