-- How long conversations last and how they end, and what their turns cost. Grain: (turns, outcome), sessions counted;
-- cost_usd: of all turns with the number `turns` in sessions with a known outcome, once, on the row of outcome null.
-- Reads `selected`: sessions with all their columns.
select turns::integer as turns, outcome, count(*) as sessions, null::double as cost_usd
from selected
where turns > 0
group by turns, outcome
union all
select t.turn_index::integer, null, null, sum(t.cost_usd)
from marts.traces as t
semi join (select project_id, session_id from selected where outcome in ('resolved', 'escalated', 'abandoned')) as s
    using (project_id, session_id)
where t.start_time >= $start
group by t.turn_index
order by 1, 2
