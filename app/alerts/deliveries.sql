select notice_id, channel, status, attempts, next_at, begun_at, ended_at, error, is_duplicate
from alert_deliveries
where notice_id in (select value from json_each(?))
order by notice_id, channel
