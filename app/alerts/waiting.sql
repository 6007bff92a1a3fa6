-- What a channel still owes, oldest first; a duplicate is what somebody had begun to send.
select alert_notices.id, content, is_duplicate or status = 'sending' as is_duplicate
from alert_deliveries
join alert_notices on id = notice_id
where channel = :channel and status in ('waiting', 'sending')
order by at, made_at, id
limit :limit
