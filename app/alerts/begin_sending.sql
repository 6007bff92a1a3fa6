update alert_deliveries
set is_duplicate = is_duplicate or status = 'sending', status = 'sending', attempts = attempts + 1, begun_at = ?
where notice_id = ? and channel = ?
