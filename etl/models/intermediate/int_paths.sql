-- grain: one row per touched session with a step that isn't left out
-- key: project_id, session_id
-- The steps of its turns in order, under their clean names; a step repeated at once stands once, with how often, unless
-- the [flow] setting says otherwise.
-- source: int_session_traces, int_step_names, int_settings
with steps as (
    select traces.project_id, traces.session_id, traces.turn_index, named.step
    from int_session_traces as traces
    inner join int_step_names as named on named.raw = traces.step
    where not named.is_ignored
),

marked as (
    select
        steps.*,
        not settings.fold_repeats
        or steps.step is distinct from lag(steps.step) over (partition by project_id, session_id order by turn_index) as is_start
    from steps
    cross join int_settings as settings
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
