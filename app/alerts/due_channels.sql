-- Channels with a notice that may be tried now. A sending that nobody ended is due: whoever began it has died.
select distinct channel
from alert_deliveries
where status = 'sending' or (status = 'waiting' and next_at <= ?)
order by channel
