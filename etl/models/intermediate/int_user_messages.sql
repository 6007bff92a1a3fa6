-- grain: one row per trace of a touched session
-- key: project_id, trace_id
-- What the user said in each trace, and which traces bring a new message. Several traces may answer one (a call per
-- trace, the resume of an interrupt): a list of chat messages that ends in the same user message at the same place as
-- the turn before is not a new one.
-- source: int_questions
with decoded as (
    -- JSON within a JSON text
    select *, coalesce(case when input[1] = '"' and json_valid(input) then try_cast(input as json) ->> '$' end, input) as text
    from int_questions
),

parsed as (
    select
        *,
        case when json_valid(text) then coalesce(
            json_extract(text, '$.messages'),
            json_extract(text, '$.contents'),
            -- the OpenAI responses API
            if(json_type(text, '$.input[0]') = 'OBJECT', json_extract(text, '$.input'), null),
            -- a batch of conversations: the first one
            if(json_type(text, '$[0][0]') = 'OBJECT', json_extract(text, '$[0]'), null),
            text::json
        ) end as body
    from decoded
),

shaped as (
    select
        *,
        -- a list of texts is no chat
        coalesce(json_type(body) = 'ARRAY' and json_type(body, '$[0]') in ('OBJECT', 'ARRAY'), false) as is_chat,
        -- the resume of an interrupt is nothing that the user said
        case when json_type(body) = 'OBJECT' and not json_exists(body, '$.resume') then body end as object
    from parsed
),

opened as (
    -- a call's arguments as the SDK writes them, or a usual key; then once more, as these may hold such an object
    select
        *,
        case
            when body is null or is_chat or json_type(body) <> 'OBJECT' then body
            when json_type(object, '$.args') = 'ARRAY' then coalesce(named_value(object -> 'kwargs'), longest_text(object -> 'args'),
                object -> '$.args[0]', to_json(json_extract(object, '$.kwargs.*')))
            else named_value(object)
        end as held
    from shaped
),

said as (
    select *, if(json_type(coalesce(opened, held)) = 'ARRAY', user_messages(coalesce(opened, held)), null) as messages
    from (select *, if(not is_chat and json_type(held) = 'OBJECT', named_value(held), null) as opened from opened)
),

worded as (
    select
        * exclude (held, opened),
        coalesce(messages[-1] -> 'content', messages[-1] -> 'parts', messages[-1] -> '$.kwargs.content', messages[-1] -> 1,
            if(is_chat, null, coalesce(opened, held))) as content,
        if(is_chat, len(messages) > 0, has_text(case
            when body is null then text when json_type(body) = 'OBJECT' then object::varchar else body ->> '$'
        end)) as is_readable,
        if(is_chat, hash(len(messages), messages[-1]::varchar), null) as message_key
    from said
)

select
    project_id,
    session_id,
    trace_id,
    turn_index,
    if(body is null, loose_words(text), content_words(content)) as words,
    coalesce(is_readable, false) as is_readable,
    coalesce(is_readable, false) and coalesce(message_key <> lag(message_key ignore nulls) over (
        partition by project_id, session_id order by turn_index), true) as is_new
from worded
