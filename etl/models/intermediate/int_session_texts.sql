-- grain: one row per touched session in which the user's words can be read
-- key: project_id, session_id
-- The first thousand letters of its first ten new messages: enough to say what it is about, whatever its length.
-- source: int_user_messages
with messages as (
    select
        project_id,
        session_id,
        turn_index,
        left(words, 1000) as words,
        row_number() over (partition by project_id, session_id order by turn_index) as place
    from int_user_messages
    where is_new and has_text(words)
)

select project_id, session_id, string_agg(words, chr(10) order by turn_index) as text
from messages
where place <= 10
group by all
