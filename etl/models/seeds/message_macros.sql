-- Scalar macros that find a user's words in a payload, whatever client library wrote it. Temporary.
-- The page's reader (app/analysis/messages.py) knows the same shapes and more; these need only the words. Macros don't
-- nest deeply: each use is planned anew.

-- Who says a message: {"role": "user"}, {"type": "human"}, ["user", "words"], LangChain's serialised HumanMessage.
create or replace temp macro is_said_by_user(message) as
    lower(coalesce(message ->> 'role', if(message ->> 'type' = 'constructor', message ->> '$.id[#-1]', message ->> 'type'), message ->> 0))
        in ('user', 'human', 'humanmessage')
    or coalesce(message ->> 'kind' = 'request', false); -- pydantic-ai

-- What a tool answered or the application set, in the place of a user's message: nothing that the user said.
create or replace temp macro is_tool_result(kind) as kind in ('tool_result', 'tool_call_response', 'tool-return', 'function_call_output',
    'system-prompt', 'retry-prompt');

-- The messages of a thread in which the user says or shows something.
create or replace temp macro user_messages(thread) as list_filter(from_json(thread, '["JSON"]'), lambda message:
    is_said_by_user(message) and not coalesce(list_bool_and(list_transform(
        json_extract_string(message, '$.content[*].type') || json_extract_string(message, '$.parts[*].type')
            || json_extract_string(message, '$.parts[*].part_kind'),
        lambda kind: is_tool_result(kind))), false));

-- The words of a content: a text, or parts of which some are texts.
create or replace temp macro content_words(content) as case json_type(content)
    when 'VARCHAR' then content ->> '$'
    when 'ARRAY' then nullif(array_to_string(list_filter(list_transform(from_json(content, '["JSON"]'), lambda part: case
        when json_type(part) = 'VARCHAR' then part ->> '$'
        when is_tool_result(coalesce(part ->> 'type', part ->> 'part_kind', '')) then null
        else coalesce(part ->> 'text', part ->> 'content')
    end), lambda word: word is not null), chr(10)), '')
end;

-- The first of the usual keys of an object that holds something.
create or replace temp macro named_value(object) as list_filter(json_extract(object, ['$.query', '$.question', '$.message',
    '$.user_message', '$.user_input', '$.user_query', '$.chatInput', '$.prompt', '$.input', '$.content', '$.text']),
    lambda value: value is not null and value::varchar not in ('null', '""', '[]', '{}'))[1];

-- The longest text among some values: of a call's arguments, the one that somebody typed.
create or replace temp macro longest_text(items) as nullif(list_reduce(list_filter(from_json(items, '["JSON"]'),
    lambda item: json_type(item) = 'VARCHAR'), lambda longest, item: if(length(item::varchar) > length(longest::varchar), item, longest),
    '""'::json), '""'::json);

-- The words of an input that is no JSON: Python reprs of LlamaIndex, JSON that was cut off, plain text.
create or replace temp macro loose_words(input) as coalesce(
    case
        when contains(input, 'MessageRole.USER') then regexp_extract_all(input,
            '(?s)MessageRole\.USER.*?(?:text|content)=[''"](.*?)[''"](?:\)|,|$)', 1)[-1]
        when contains(input, 'query_str=') then nullif(regexp_extract(input, '(?s)query_str=[''"](.*?)[''"](?:\)|,|$)', 1), '')
        when regexp_matches(input, '^\s*[\[{]') then regexp_extract_all(input,
            '"(?:content|text|query|question|prompt|input)"\s*:\s*"((?:[^"\\]|\\.)*)', 1)[-1]
    end, input);
