-- Escalated sessions in which something had happened before, and the turn of it; of a topic and a late turn that of the
-- escalation. Grain: (project_id, session_id).
-- Reads `selected`, `risk` and `exposures`. $trigger and $value as in flow_triggers; of `late turn` $value is the turn.
select e.project_id, e.session_id, e.turn
from exposures as e
semi join (select project_id, session_id from risk where is_case) using (project_id, session_id)
where e.trigger = $trigger and e.value = $value
union
select r.project_id, r.session_id, r.last_turn as turn
from risk as r
inner join selected as s using (project_id, session_id)
left join (select topic_id, any_value(label) as label from marts.topics group by topic_id) as t on t.topic_id = s.topic_id
where r.is_case
    and (
        ($trigger = 'topic' and coalesce(t.label, s.topic_id) = $value)
        or ($trigger = 'late turn' and r.last_turn >= try_cast($value as integer))
    )
