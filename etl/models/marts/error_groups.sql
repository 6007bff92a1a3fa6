-- grain: one row per kind of error
-- key: project_id, error_group_id
-- state at as_of: resolved = silent for 7 days; new = first seen within 7 days; regressed = back within the last 7 days
-- after a silence of 7 days and of three times its usual gap; escalating = the last 24 hours hold far more than the same
-- hours of earlier weeks (Poisson, p < 0.001, at least 5); ongoing = the rest.
-- source: marts.observations (origins of errors), int_settings
with ordered as (
    select
        observation.*,
        settings.as_of,
        start_time - lag(start_time) over history as silence,
        lag(start_time) over history - min(start_time) over history as active_before,
        row_number() over history - 1 as count_before
    from marts.observations as observation
    cross join int_settings as settings
    where observation.error_group_id is not null
    window history as (partition by project_id, error_group_id order by start_time, trace_id, observation_id)
),

occurrences as (
    select
        *,
        start_time > as_of - interval 7 days and silence >= interval 7 days
            and epoch_us(silence) * (count_before - 1) >= 3 * epoch_us(active_before) as is_return
    from ordered
),

grouped as (
    select
        project_id,
        error_group_id,
        arg_max(status_message, (start_time, trace_id, observation_id)) as sample_message,
        arg_max(coalesce(name, lower(type)), (start_time, trace_id, observation_id)) as name,
        arg_max(type, (start_time, trace_id, observation_id)) as type,
        min(start_time) as first_seen,
        max(start_time) as last_seen,
        count(*) as occurrence_count,
        count(distinct trace_id) as trace_count,
        count(distinct session_id) as session_count,
        count(distinct user_id) as user_count,
        coalesce(bool_or(is_return), false) as is_back,
        count(*) filter (start_time > as_of - interval 24 hours) as recent,
        count(*) filter (start_time between as_of - interval 192 hours and as_of - interval 168 hours
            or start_time between as_of - interval 360 hours and as_of - interval 336 hours
            or start_time between as_of - interval 528 hours and as_of - interval 504 hours) as earlier,
        least(3, date_diff('day', min(start_time), any_value(as_of)) // 7) as weeks,
        any_value(as_of) as as_of
    from occurrences
    group by all
),

expected as (
    select *, if(weeks > 0, (earlier + 0.5) / weeks, null) as mean from grouped
)

select
    project_id,
    error_group_id,
    if(sample_message is null, 'no message', left(normalise_error(sample_message), 200)) || ' (' || name || ')' as title,
    error_class(sample_message, type) as error_class,
    sample_message,
    first_seen,
    last_seen,
    occurrence_count,
    trace_count,
    session_count,
    user_count,
    case
        when last_seen <= as_of - interval 7 days then 'resolved'
        when first_seen > as_of - interval 7 days then 'new'
        when is_back then 'regressed'
        -- P(at least so many) = 1 - P(fewer), summed in logarithms
        when recent >= 5 and recent > mean and 1 - list_sum(list_transform(range(0, least(recent, 5000)),
            lambda i: exp(i * ln(mean) - mean - lgamma(i + 1)))) < 0.001 then 'escalating'
        else 'ongoing'
    end as state
from expected
