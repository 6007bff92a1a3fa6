-- One session, in every project that has the id. Grain: (project_id, session_id). Times UTC, durations ms, cost USD.
select
    s.project_id, s.session_id, s.user_ids, s.environment, s.tags, s.models, s.release,
    s.start_time, s.end_time, s.duration_ms, s.turns, s.user_turns, s.avg_response_ms,
    s.input_tokens, s.output_tokens, s.total_tokens, s.cost_usd, s.error_count, s.failed_count,
    s.satisfaction_mean, s.satisfaction_last, s.outcome, s.outcome_reason, s.last_step,
    coalesce(
        (
            select list(distinct t.label order by t.label)
            from marts.session_topics as st
            join marts.topics as t using (topic_id)
            where st.project_id = s.project_id and st.session_id = s.session_id
        ),
        []
    ) as topics
from marts.sessions as s
where s.session_id = $session_id and ($project is null or s.project_id = $project)
order by s.project_id
