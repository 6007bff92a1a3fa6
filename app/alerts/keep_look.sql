insert or replace into alert_looks (rule, basis, until, checked_at, error, error_since)
values (:rule, :basis, :until, :now, null, null)
