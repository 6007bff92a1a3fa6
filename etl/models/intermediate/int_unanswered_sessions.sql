-- grain: one row per touched session whose last user message has no answer
-- key: project_id, session_id
-- Both are read from the last trace: something on the trace object, a root or a row at the top was asked, and neither
-- there nor in a generation that went well was anything answered. Projects without outputs say nothing about answers.
-- source: int_session_traces, stg.observations, int_recording_projects
with last_traces as (
    select project_id, session_id, arg_max(trace_id, turn_index) as trace_id
    from int_session_traces
    semi join int_recording_projects using (project_id)
    group by all
),

heard as (
    select
        last_traces.project_id,
        last_traces.session_id,
        bool_or(has_text(observation.output)) as has_answer,
        bool_or(has_text(observation.input) and (
            observation.is_synthetic or observation.is_flagged_root or observation.is_top)) as has_question
    from last_traces
    inner join stg.observations as observation using (project_id, trace_id)
    where observation.is_synthetic or observation.is_flagged_root or observation.is_top
        or (observation.type = 'GENERATION' and observation.level <> 'ERROR')
    group by all
)

select project_id, session_id from heard where has_question and not has_answer
