-- One row for each notice of [since, until) of event time and each channel, with its line of the history; newest first.
select
    alert_history.rule,
    grp,
    alert_history.at,
    level,
    before,
    since,
    value,
    n,
    baseline,
    threshold,
    kind,
    alert_history.notice_id,
    snapshot,
    recorded_at,
    channel,
    status,
    attempts,
    next_at,
    begun_at,
    ended_at,
    error,
    is_duplicate
from alert_history
join alert_deliveries using (notice_id)
where alert_history.at >= :since and alert_history.at < :until and (:status is null or status = :status)
order by alert_history.at desc, alert_history.rule, grp, channel
limit coalesce(:most, -1)
