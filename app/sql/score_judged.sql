-- What one score says, as numbers. Grain: (score, label). Reads `selected`: scores of the window, all columns.
-- $labels: NULL for a number or a boolean: one row with label NULL and x its value ($normalised: on 0-1). Else a row for
-- each label, with x 1 where the score says it and 0 where it doesn't.
-- unit: what varies by itself: the user, else the session, else the trace, else the score. session_id: also the trace's.
with placed as (
    select
        s.project_id, s.score_id, s.scored_at, s.trace_id, s.observation_id, s.string_value, s.part,
        coalesce(s.session_id, t.session_id) as session_id,
        coalesce(t.user_id, c.user_ids[1]) as user_id,
        if($normalised, s.value_normalised, s.value) as number
    from selected as s
    left join marts.traces as t on t.project_id = s.project_id and t.trace_id = s.trace_id
    left join marts.sessions as c on c.project_id = s.project_id and c.session_id = s.session_id
    where s.name = $score and s.data_type = $data_type
),

labelled as (
    select *, unnest(coalesce($labels::varchar[], [null])) as label from placed
)

select
    * exclude (number, string_value),
    coalesce('u' || user_id, 's' || session_id, 't' || trace_id, score_id) as unit,
    if(label is null, number, (string_value is not distinct from label)::int)::double as x
from labelled
where label is not null or number is not null
