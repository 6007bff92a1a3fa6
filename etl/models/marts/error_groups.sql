-- grain: one row per kind of error
-- key: project_id, error_group_id
-- state at as_of, the first that holds: resolved = silent for 7 days and longer than its pace explains; new = first seen
-- within 7 days; regressed = back within the last 7 days after such a silence; escalating = the last 24 hours struck far
-- more sessions than the same hours of earlier weeks predict (negative binomial, p < 0.001, at least 5); ongoing = the rest.
-- source: int_error_origins, int_error_pace, int_error_silences, int_settings
with grouped as (
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
        count(distinct user_id) as user_count
    from int_error_origins
    group by all
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
        when is_silent then 'resolved'
        when first_seen > as_of - interval 7 days then 'new'
        when is_back then 'regressed'
        when recent >= 5 and recent > expected_mean
            and chance_of_so_many(recent, expected_mean, expected_variance) < 0.001 then 'escalating'
        else 'ongoing'
    end as state
from grouped
inner join int_error_pace using (project_id, error_group_id)
inner join int_error_silences using (project_id, error_group_id)
cross join int_settings
