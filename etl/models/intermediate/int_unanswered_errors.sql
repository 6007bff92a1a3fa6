-- grain: one row per touched trace with an ERROR and no answer, in a project that records outputs
-- key: trace_key
-- An answer is an output of the trace object, of a root or of a row at the top, or of a generation that began after the
-- last ERROR (agent frameworks leave the rows above it empty).
-- source: int_spans, stg.observations, int_recording_projects
with faulty as (
    select trace_key, max(start_time) as last_error
    from int_spans
    where is_error
    group by trace_key
),

speakers as (
    select span.trace_key, span.span_key
    from int_spans as span
    inner join faulty using (trace_key)
    where span.is_synthetic or span.is_flagged_root or span.is_top
        or (span.type = 'GENERATION' and not span.is_error and span.start_time >= faulty.last_error)
),

heard as (
    select
        faulty.trace_key,
        coalesce(bool_or(has_text(observation.output)), false) as has_answer
    from faulty
    left join speakers using (trace_key)
    left join stg.observations as observation using (span_key)
    group by faulty.trace_key
),

recorded as (
    select touched.trace_key from int_touched as touched semi join int_recording_projects using (project_id)
)

select trace_key from heard semi join recorded using (trace_key) where not has_answer
