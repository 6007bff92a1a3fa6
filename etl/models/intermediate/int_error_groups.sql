-- grain: one row per ERROR of a touched trace
-- key: span_key
-- message: own, else that of the earliest ERROR right below, else that of the trace's earliest one. Only origins (ERRORs
-- with none below) get a group; its id is a hash of class, normalised text and name, so it stays from run to run.
-- source: int_errors, int_spans, int_parents, stg.observations
with placed as (
    select errors.*, span.start_time, span.observation_id, span.type
    from int_errors as errors
    inner join int_spans as span using (span_key)
),

below as (
    select parents.parent_key as span_key, arg_min(child.own_message, (child.start_time, child.observation_id)) as message
    from int_parents as parents
    inner join placed as child using (span_key)
    where child.own_message is not null
    group by all
),

anywhere as (
    select trace_key, arg_min(own_message, (is_propagated, start_time, observation_id)) as message
    from placed
    where own_message is not null
    group by trace_key
),

worded as (
    select
        placed.*,
        coalesce(placed.own_message, below.message, anywhere.message) as message,
        coalesce(observation.name, lower(placed.type)) as name
    from placed
    left join below using (span_key)
    left join anywhere using (trace_key)
    inner join stg.observations as observation using (span_key)
),

classified as (
    select
        *,
        if(is_propagated, null, error_class(message, type)) as error_class,
        if(is_propagated, null, left(coalesce(normalise_error(message), 'no message'), 300)) as pattern
    from worded
)

select
    span_key,
    trace_key,
    is_propagated,
    message,
    error_class,
    pattern,
    name,
    if(is_propagated, null, left(md5(concat_ws('|', error_class, pattern, name)), 16)) as error_group_id
from classified
