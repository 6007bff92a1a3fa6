update alert_deliveries
set status = :status, error = :error, next_at = :next, ended_at = :ended, is_duplicate = is_duplicate or :may
where notice_id = :id and channel = :channel
