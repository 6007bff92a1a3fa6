-- What became of the latest notice of each group that has a state, in each channel.
select
    alert_states.rule,
    alert_states.grp,
    notice_id,
    channel,
    status,
    attempts,
    next_at,
    begun_at,
    ended_at,
    error,
    is_duplicate
from alert_states
join alert_history
    on alert_history.rule = alert_states.rule
    and alert_history.grp = alert_states.grp
    and alert_history.at = alert_states.told_at
join alert_deliveries using (notice_id)
where alert_states.level in ('warning', 'alert', 'no_data')
order by alert_states.rule, alert_states.grp, channel
