insert into alert_deliveries (notice_id, channel, status, next_at) values (?, ?, 'waiting', ?) on conflict do nothing
