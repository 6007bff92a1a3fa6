insert into alert_history (
    rule, grp, at, level, before, since, value, n, baseline, threshold, kind, notice_id, snapshot, recorded_at
)
values (
    :rule, :grp, :at, :level, :before, :since, :value, :n, :baseline, :threshold, :kind, :notice_id, :snapshot,
    :recorded_at
)
on conflict do nothing
