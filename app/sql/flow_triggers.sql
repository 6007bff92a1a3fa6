-- Sessions counted by what happened in them, from which turn on, and how far they went. Grain: (trigger, value, from_turn,
-- last_turn, entry, is_case). Reads `selected`, `risk` and `exposures`. is_case: escalated in last_turn. The row without a trigger
-- counts all sessions. A topic is there from the beginning: from_turn is 1.
select
    e.trigger, e.value, e.from_turn, r.entry, r.last_turn, r.is_case, count(*) as sessions
from exposures as e
inner join risk as r using (project_id, session_id)
group by all
union all
select 'topic', coalesce(t.label, s.topic_id), 1, r.entry, r.last_turn, r.is_case, count(*)
from risk as r
inner join selected as s using (project_id, session_id)
left join (select topic_id, any_value(label) as label from marts.topics group by topic_id) as t on t.topic_id = s.topic_id
where s.topic_id is not null
group by all
union all
select null, null, 1, entry, last_turn, is_case, count(*)
from risk
group by all
order by trigger, value, entry, from_turn, last_turn, is_case
