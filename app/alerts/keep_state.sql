insert or replace into alert_states (
    rule, grp, level, since, began, last_value, last_at, last_from, last_n, last_baseline, told_level, told_at
)
values (
    :rule, :group, :level, :since, :began, :last_value, :last_at, :last_from, :last_n, :last_baseline, :told_level,
    :told_at
)
