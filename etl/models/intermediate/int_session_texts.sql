-- grain: one row per touched session in which the user's words can be read
-- key: project_id, session_id
-- What the user came for: the first of the three opening messages that says more than a greeting, its first thousand
-- letters. What is said later tells how the session went, and would make topics of outcomes ("talk to a person").
-- source: int_user_messages, int_stop_words
with messages as (
    select
        project_id,
        session_id,
        left(words, 1000) as text,
        row_number() over (partition by project_id, session_id order by turn_index) as place
    from int_user_messages
    where is_new and has_text(words)
    qualify place <= 3
),

worded as (
    select project_id, session_id, place, unnest(list_distinct(topic_words(text))) as word from messages
),

telling as (
    select distinct worded.project_id, worded.session_id, worded.place
    from worded
    anti join int_stop_words as stop on stop.word = strip_accents(worded.word)
)

select
    messages.project_id,
    messages.session_id,
    arg_min(messages.text, (telling.place is null, messages.place)) as text
from messages
left join telling using (project_id, session_id, place)
group by all
