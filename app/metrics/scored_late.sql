-- Rows of raw.observations of the traces that scores given since a time speak of, where these began before it.
-- Grain: rowid. By their places, so that the payloads of other traces are not read.
select o.rowid
from raw.observations o
semi join (
    select t.project_id, t.trace_id
    from marts.traces t
    join marts.scores s on s.project_id = t.project_id and s.trace_id = t.trace_id
    where s.scored_at >= {start} and t.start_time < {start}
    union all
    select t.project_id, t.trace_id
    from marts.traces t
    join marts.scores s on s.project_id = t.project_id and s.session_id = t.session_id
    where s.scored_at >= {start} and t.start_time < {start} and s.trace_id is null
) using (project_id, trace_id)
