-- grain: one row per session and topic that it is about; sessions without readable words have none
-- key: project_id, session_id, topic_id
-- source: int_session_topics
select project_id, session_id, topic_id, weight from int_session_topics
