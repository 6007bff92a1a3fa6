-- grain: one row per topic; empty until topics are modelled
-- key: topic_id
-- source: marts.sessions
select distinct topic_id, null::varchar as label, []::varchar[] as terms from marts.sessions where topic_id is not null
