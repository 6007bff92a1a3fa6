-- One row for each change of level and each repeated notice in [since, until) of event time, newest first.
select rule, grp, at, level, before, since, value, n, baseline, threshold, kind, notice_id, snapshot, recorded_at
from alert_history
where at >= :since and at < :until and (:rule is null or rule = :rule) and (:level is null or level = :level)
order by at desc, rule, grp
limit coalesce(:most, -1)
