insert into alert_notices (id, rule, at, made_at, content) values (?, ?, ?, ?, ?) on conflict do nothing
