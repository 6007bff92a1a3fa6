insert into alert_looks (rule, basis, until, checked_at, error, error_since)
values (:rule, :basis, null, :now, :error, :now)
on conflict (rule) do update set
    checked_at = excluded.checked_at,
    error_since = coalesce(error_since, excluded.error_since),
    error = excluded.error
