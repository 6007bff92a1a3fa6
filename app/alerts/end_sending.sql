update alert_deliveries set status = 'sent', ended_at = ?, error = null where notice_id = ? and channel = ?
