-- grain: one row per trace; here the touched ones, and their sessions' other traces for the sake of turn_index
-- key: project_id, trace_id
-- units: times in UTC, durations in milliseconds, cost in USD, counts in tokens
-- source: int_traces, marts.traces, int_touched_sessions
with siblings as (
    select traces.* rename (turn_index as old_turn_index)
    from marts.traces as traces
    semi join int_touched_sessions using (project_id, session_id)
    anti join int_touched using (project_id, trace_id)
),

together as (
    select *, false as is_sibling from int_traces
    union all by name
    select *, true as is_sibling from siblings
),

placed as (
    select
        *,
        if(session_id is null, null, row_number() over (
            partition by project_id, session_id order by start_time, trace_id
        ))::integer as turn_index
    from together
)

-- a sibling is only written again where its place in the session moved
select * exclude (is_sibling, old_turn_index) from placed where not is_sibling or turn_index <> old_turn_index
