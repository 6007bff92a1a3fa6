-- grain: one row per session and topic; empty until topics are modelled
-- key: project_id, session_id, topic_id
-- source: marts.sessions
select project_id, session_id, topic_id, 1.0 as weight from marts.sessions where topic_id is not null
