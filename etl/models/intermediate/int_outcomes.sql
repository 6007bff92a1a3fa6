-- grain: one row per touched session
-- key: project_id, session_id
-- How it ended and why, by the [outcome] settings. The latest signal wins; at a tie the escalation.
-- A preview of other settings runs this text over the marts (etl/warehouse/outcomes.py).
-- source: int_endings, int_signals, int_settings
with signals as (
    select project_id, session_id, arg_max({'outcome': outcome, 'reason': reason}, (signalled_at, outcome = 'escalated', reason)) as signal
    from int_signals
    group by all
),

judged as (
    select
        endings.*,
        signals.signal,
        endings.end_time > settings.as_of - to_microseconds((settings.open_minutes * 60e6)::bigint) as is_open,
        settings.open_minutes
    from int_endings as endings
    cross join int_settings as settings
    left join signals using (project_id, session_id)
)

select
    project_id,
    session_id,
    case
        when signal is not null then signal.outcome
        when is_open then 'open'
        when is_last_failed or is_unanswered then 'abandoned'
        else 'unknown'
    end as outcome,
    case
        when signal is not null then signal.reason
        when is_open then 'active within ' || format('{:g}', open_minutes) || ' minutes of the last reading'
        when is_last_failed then 'last turn failed'
        when is_unanswered then 'last message has no answer'
        else 'no signal'
    end as outcome_reason
from judged
