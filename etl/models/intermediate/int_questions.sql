-- grain: one row per trace of a touched session
-- key: project_id, trace_id
-- What the trace was asked: the input of its root; where an agent framework leaves that empty, of its first generation.
-- source: int_session_traces, stg.observations, marts.observations (which row is the root)
with asked as (
    select traces.project_id, traces.session_id, traces.trace_id, traces.turn_index, left(observation.input, 200000) as input
    from int_session_traces as traces
    inner join marts.observations as root on root.project_id = traces.project_id and root.trace_id = traces.trace_id and root.is_root
    inner join stg.observations as observation
        on observation.project_id = root.project_id and observation.trace_id = root.trace_id
        and observation.observation_id = root.observation_id
),

firsts as (
    select call.project_id, call.trace_id, arg_min(call.observation_id, (call.start_time, call.observation_id)) as observation_id
    from marts.observations as call
    inner join asked on asked.project_id = call.project_id and asked.trace_id = call.trace_id and asked.input is null
    where call.type = 'GENERATION'
    group by all
),

stand_ins as (
    select observation.project_id, observation.trace_id, left(observation.input, 200000) as input
    from firsts
    inner join stg.observations as observation using (project_id, trace_id, observation_id)
)

select asked.* exclude (input), coalesce(asked.input, stand_ins.input) as input
from asked
left join stand_ins using (project_id, trace_id)
