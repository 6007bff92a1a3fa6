-- grain: one row per kind of error
-- key: project_id, error_group_id
-- Its pace is told by the distinct hours in which it came, so that a burst counts once. A silence is long when it lasts 7
-- days or more and its pace gives it a chance below 0.01. is_back: came again within 7 days of as_of after a long silence
-- (with 3 hours or more before it: small histories call nothing back). is_silent: a long silence now, or 7 days of it where
-- it had only ever come within one day, or 28 days of it however rare it was.
-- source: int_error_origins, int_settings
with hours as (
    select
        project_id,
        error_group_id,
        min(start_time) as first_time,
        max(start_time) as last_time
    from int_error_origins
    group by project_id, error_group_id, date_trunc('hour', start_time)
),

ordered as (
    select
        hours.*,
        as_of,
        row_number() over history as place,
        min(first_time) over history as began,
        lag(last_time) over history as time_before
    from hours
    cross join int_settings
    window history as (partition by project_id, error_group_id order by first_time)
),

returns as (
    select
        *,
        first_time > as_of - interval 7 days
            and first_time - time_before >= interval 7 days
            and place > 3
            and chance_of_silence(
                epoch_us(first_time - time_before), place - 1, epoch_us(time_before - began)) < 0.01 as is_return
    from ordered
),

grouped as (
    select
        project_id,
        error_group_id,
        coalesce(bool_or(is_return), false) as is_back,
        count(*) as hours_struck,
        epoch_us(max(last_time) - min(first_time)) as span_us,
        epoch_us(any_value(as_of) - max(last_time)) as silence_us
    from returns
    group by all
)

select
    *,
    silence_us >= 7 * 86400e6 and (
        span_us < 86400e6
        or silence_us >= 28 * 86400e6
        or chance_of_silence(silence_us, hours_struck, span_us) < 0.01) as is_silent
from grouped
