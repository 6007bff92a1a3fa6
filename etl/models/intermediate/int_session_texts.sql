-- grain: one row per touched session in which the user's words can be read
-- key: project_id, session_id
-- What the user came for: the first of the three opening messages that says more than a greeting, its first thousand
-- letters. What is said later tells how the session went, and would make topics of outcomes ("talk to a person").
-- source: int_user_messages, int_stop_words
with openings as (
    select
        project_id,
        session_id,
        trace_id,
        row_number() over (partition by project_id, session_id order by turn_index) as place
    from int_user_messages
    where is_new and has_text(words)
    qualify place <= 3
),

said as (
    select project_id, trace_id, unnest(list_distinct(topic_words(left(words, 1000)))) as word
    from int_user_messages
    semi join openings using (project_id, trace_id)
),

telling as (
    select distinct said.project_id, said.trace_id
    from said
    anti join int_stop_words as stop on stop.word = strip_accents(said.word)
),

chosen as (
    select
        openings.project_id,
        openings.session_id,
        arg_min(openings.trace_id, (telling.trace_id is null, openings.place)) as trace_id
    from openings
    left join telling using (project_id, trace_id)
    group by all
)

select chosen.project_id, chosen.session_id, left(messages.words, 1000) as text
from chosen
inner join int_user_messages as messages using (project_id, trace_id)
