-- How complete the traffic of the window is, one row. Reads `selected`: the traces of the window (project_id, trace_id).
-- Counts of traces, generations and sessions that carry what a page needs.
with traces as (
    select t.* from marts.traces as t semi join selected using (project_id, trace_id)
),

scored as (
    select count(*) as traces_with_score
    from traces
    semi join (select distinct project_id, trace_id from marts.scores where trace_id is not null)
        using (project_id, trace_id)
)

select
    count(*) as traces,
    count(user_id) as with_user,
    count(session_id) as with_session,
    (select traces_with_score from scored) as with_score,
    count(*) filter (len(tags) > 0) as with_tag,
    count(release) as with_release,
    coalesce(sum(generation_count), 0)::bigint as generations,
    coalesce(sum(generation_count) - sum(unpriced_count), 0)::bigint as priced_generations
from traces
