delete from alert_states where rule not in (select value from json_each(:rules));
delete from alert_looks where rule not in (select value from json_each(:rules));
delete from alert_history where recorded_at < :oldest;
delete from alert_deliveries where notice_id in (select id from alert_notices where made_at < :oldest);
delete from alert_notices where made_at < :oldest;
