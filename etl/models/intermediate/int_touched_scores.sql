-- grain: one row per score to model again
-- key: project_id, score_id
-- source: stg.scores and marts.scores, for touched traces, touched sessions and dataset runs
with known as (
    select project_id, score_id, trace_id, session_id from stg.scores
    union all
    select project_id, score_id, trace_id, session_id from marts.scores
)

select project_id, score_id from known where trace_id is null and session_id is null
union
select project_id, score_id from known semi join int_touched using (project_id, trace_id)
union
select project_id, score_id from known semi join int_touched_sessions using (project_id, session_id)
