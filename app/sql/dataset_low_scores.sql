-- The lowest score of each selected trace that has one below $below (0 to 1 on its own scale), of the name $score or of
-- any. Grain: (project_id, trace_id). Reads `selected`: traces.
select
    c.project_id, c.trace_id,
    arg_min(
        to_json({'score': c.name, 'value': c.value, 'normalised': c.value_normalised, 'comment': c.comment}),
        (c.value_normalised, c.name, c.score_id)
    ) as flaw
from marts.scores as c
semi join selected using (project_id, trace_id)
where c.value_normalised < $below and ($score is null or c.name = $score)
group by c.project_id, c.trace_id
