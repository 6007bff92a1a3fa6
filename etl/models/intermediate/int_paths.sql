-- grain: one row per touched session
-- key: project_id, session_id
-- The steps of its turns in order; a step repeated at once stands once, with how often.
-- source: int_session_traces
with marked as (
    select
        project_id,
        session_id,
        turn_index,
        step,
        step is distinct from lag(step) over (partition by project_id, session_id order by turn_index) as is_start
    from int_session_traces
),

numbered as (
    select
        *,
        sum(is_start::integer) over (partition by project_id, session_id order by turn_index) as leg
    from marked
),

legs as (
    select project_id, session_id, leg, any_value(step) as step, count(*) as turns
    from numbered
    group by all
)

select
    project_id,
    session_id,
    list(if(turns > 1, step || ' x' || turns, step) order by leg) as path,
    arg_max(step, leg) as last_step
from legs
group by all
