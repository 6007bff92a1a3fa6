-- grain: one row per touched session with a satisfaction score
-- key: project_id, session_id
-- The mean is over the session's traces, each with its last such score; scores of the session itself count where no
-- trace has one. The last one is the last of all. Raw values, on the score's own scale.
-- source: marts.scores, int_session_traces, int_touched_sessions, int_settings
with relevant as (
    select score.*
    from marts.scores as score
    cross join int_settings as settings
    where score.name = settings.satisfaction_score and score.value is not null
),

of_traces as (
    select traces.project_id, traces.session_id, score.trace_id, score.value, score.scored_at, score.score_id
    from relevant as score
    inner join int_session_traces as traces using (project_id, trace_id)
),

of_sessions as (
    select project_id, session_id, null::varchar as trace_id, value, scored_at, score_id
    from relevant
    semi join int_touched_sessions using (project_id, session_id)
    where trace_id is null
),

last_of_subject as (
    select project_id, session_id, trace_id, arg_max(value, (scored_at, score_id)) as value
    from (from of_traces union all from of_sessions)
    group by all
),

last_of_all as (
    select project_id, session_id, arg_max(value, (scored_at, score_id)) as satisfaction_last
    from (from of_traces union all from of_sessions)
    group by all
),

means as (
    select
        project_id,
        session_id,
        coalesce(
            exact_mean(if(trace_id is null, null, value)),
            exact_mean(if(trace_id is null, value, null))
        ) as satisfaction_mean
    from last_of_subject
    group by all
)

select * from means inner join last_of_all using (project_id, session_id)
