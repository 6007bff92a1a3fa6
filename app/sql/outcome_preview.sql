-- How sessions would end by other rules. Grain: (before, after), the unchanged ones included; start_time in UTC.
-- examples: the latest sessions that move so, at most $examples. Reads ``outcomes``: the models over the marts.
with judged as (
    select
        s.project_id, s.session_id, s.start_time,
        s.outcome as before, s.outcome_reason as reason_before,
        o.outcome as after, o.outcome_reason as reason_after
    from marts.sessions as s
    join outcomes as o using (project_id, session_id)
)

select
    before,
    after,
    count(*) as sessions,
    arg_max(
        {'project_id': project_id, 'session_id': session_id, 'start_time': start_time, 'before': before, 'after': after,
         'reason_before': reason_before, 'reason_after': reason_after},
        (start_time, session_id), $examples
    ) filter (before <> after) as examples
from judged
group by before, after
order by before <> after desc, sessions desc, before, after
