-- grain: one row per ERROR of a touched trace
-- key: span_key
-- is_propagated: another ERROR lies below it. own_message: its status message, else what its output says.
-- source: stg.observations, int_spans, int_parents
with recursive errors as (
    select span_key, trace_key from int_spans where is_error
),

-- an ERROR can lie above another one only where a trace has two
suspects as (
    select trace_key from errors group by trace_key having count(*) > 1
),

edges as (
    select span_key, parent_key from int_parents semi join suspects using (trace_key)
),

above (span_key) as (
    select edges.parent_key from edges semi join errors using (span_key)
    union
    select edges.parent_key from above inner join edges using (span_key)
),

texts as (
    select
        observation.span_key,
        observation.status_message,
        left(observation.output, 4000) as output,
        observation.output like '{%' and json_valid(observation.output) as is_object
    from stg.observations as observation
    semi join errors using (span_key)
)

select
    errors.span_key,
    errors.trace_key,
    -- where parents go in a circle every ERROR lies above another one: then all of them are origins
    above.span_key is not null and bool_or(above.span_key is null) over (partition by errors.trace_key) as is_propagated,
    left(coalesce(
        texts.status_message,
        if(texts.is_object, coalesce(
            json_extract_string(texts.output, '$.error.message'),
            json_extract_string(texts.output, '$.error'),
            json_extract_string(texts.output, '$.message'),
            json_extract_string(texts.output, '$.detail')), null),
        if(has_text(texts.output), texts.output, null)
    ), 2000) as own_message
from errors
inner join texts using (span_key)
left join above using (span_key)
