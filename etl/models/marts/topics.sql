-- grain: one row per topic; 'other' is what fits none
-- key: topic_id
-- source: meta.topic_labels
select topic_id, label, terms from meta.topic_labels
union all
select 'other', 'other', []::varchar[] where exists (from meta.topic_labels)
