-- The sessions just before and after one, by start, among those that the filters pick. Grain: one row per neighbour.
-- Reads `selected`: (project_id, session_id). direction is 'previous' or 'next'.
with others as (
    select s.project_id, s.session_id, s.start_time
    from marts.sessions as s
    semi join selected using (project_id, session_id)
)

(
    select 'previous' as direction, project_id, session_id
    from others
    where (start_time, project_id, session_id) < ($start_time, $project_id, $session_id)
    order by start_time desc, project_id desc, session_id desc
    limit 1
)
union all
(
    select 'next' as direction, project_id, session_id
    from others
    where (start_time, project_id, session_id) > ($start_time, $project_id, $session_id)
    order by start_time, project_id, session_id
    limit 1
)
