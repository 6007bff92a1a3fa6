-- grain: one row per touched session and term of the vocabulary that the user used
-- key: project_id, session_id, term
-- source: int_session_texts, int_stop_words, meta.topic_vocabulary
with words as (
    select project_id, session_id, unnest(list_distinct(topic_words(text))) as word
    from int_session_texts
)

select distinct words.project_id, words.session_id, vocabulary.term, vocabulary.idf
from words
anti join int_stop_words as stop on stop.word = strip_accents(words.word)
inner join meta.topic_vocabulary as vocabulary on vocabulary.term = topic_term(words.word)
