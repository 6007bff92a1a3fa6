-- grain: one row per touched trace
-- key: trace_key
-- root_key: the row that speaks for the trace: the trace object itself, else the row the client flagged as root, else
-- the one without a parent, else the earliest. top_key: the same among the rows of work, without the trace object.
-- source: int_spans
with ranked as (
    select
        trace_key,
        span_key,
        is_synthetic,
        row_number() over (
            partition by trace_key
            order by is_synthetic desc, is_flagged_root desc, is_top desc, start_time, observation_id
        ) as place
    from int_spans
)

select
    trace_key,
    arg_min(span_key, place) as root_key,
    arg_min(span_key, place) filter (not is_synthetic) as top_key
from ranked
group by trace_key
