select attempts, made_at
from alert_deliveries
join alert_notices on id = notice_id
where notice_id = :id and channel = :channel
