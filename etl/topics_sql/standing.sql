-- One row: how many sessions there are, and which share of those of the last 28 days with readable words fits no topic
-- (NULL where there are fewer than 200 of them).
select
    count(*) as sessions,
    if(count(topic_id) filter (is_recent) >= 200,
        count(*) filter (is_recent and topic_id = 'other') / count(topic_id) filter (is_recent), null) as other_share
from (select topic_id, start_time > $as_of::timestamp - interval 28 days as is_recent from marts.sessions)
