-- grain: one row per trace of a touched session
-- key: project_id, trace_id
-- Which traces bring a new user message. Several traces may answer one (a call per trace, the resume of an interrupt):
-- a list of chat messages that ends in the same user message at the same place as the turn before is not a new one.
-- source: int_session_traces, stg.observations, marts.observations (which row is the root)
with questions as (
    select traces.project_id, traces.session_id, traces.trace_id, traces.turn_index, left(observation.input, 200000) as input
    from int_session_traces as traces
    inner join marts.observations as root on root.project_id = traces.project_id and root.trace_id = traces.trace_id and root.is_root
    inner join stg.observations as observation
        on observation.project_id = root.project_id and observation.trace_id = root.trace_id
        and observation.observation_id = root.observation_id
),

parsed as (
    select
        *,
        case when json_valid(input) then coalesce(
            json_extract(input, '$.messages'),
            -- a batch of conversations: the first one
            if(json_type(input, '$[0][0]') = 'OBJECT', json_extract(input, '$[0]'), null),
            input::json
        ) end as body
    from questions
),

shaped as (
    -- a list of texts is no chat
    select *, coalesce(json_type(body) = 'ARRAY' and json_type(body, '$[0]') in ('OBJECT', 'ARRAY'), false) as is_chat
    from parsed
),

said as (
    select
        * exclude (body, input),
        if(is_chat, list_filter(from_json(body, '["JSON"]'), lambda message:
            coalesce(message ->> 'role', message ->> 'type', message ->> 0) in ('user', 'human')), null) as messages,
        case
            when body is null then input
            -- the resume of an interrupt is nothing that the user said
            when json_type(body) = 'OBJECT' then if(json_exists(body, '$.resume'), null, body::varchar)
            else body ->> '$'
        end as plain
    from shaped
),

keyed as (
    select
        *,
        if(is_chat, len(messages) > 0, has_text(plain)) as is_readable,
        if(is_chat, hash(len(messages), messages[-1]::varchar), null) as message_key
    from said
)

select
    project_id,
    session_id,
    trace_id,
    coalesce(is_readable, false) as is_readable,
    coalesce(is_readable, false) and coalesce(message_key <> lag(message_key ignore nulls) over (
        partition by project_id, session_id order by turn_index), true) as is_new
from keyed
