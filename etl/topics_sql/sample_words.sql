-- grain: one row per word (or mark between words) of a sampled session; number orders the sessions of the sample
-- The sample is drawn by a hash of the session's id: it depends on no order of rows, and changes little with new ones.
-- next_words: what makes a phrase with the word: the telling word at its side, or behind 'de', 'of' and their like.
-- source: int_session_texts, int_stop_words
with sampled as (
    select
        row_number() over (order by md5(project_id || '/' || session_id), project_id, session_id) - 1 as number,
        regexp_extract_all(topic_text(text), '\pL+|[^\pL\s]') as words
    from int_session_texts
    qualify number < $sample
),

placed as (
    select number, unnest(words) as word, generate_subscripts(words, 1) as place
    from sampled
),

judged as (
    select placed.*, stop.word is not null or not regexp_matches(placed.word, '^\pL{3,}$') as is_stop
    from placed
    left join int_stop_words as stop on stop.word = strip_accents(placed.word)
)

select
    number,
    word,
    topic_term(word) as term,
    is_stop,
    case
        when is_stop then null
        when not lead(is_stop) over following then lead(word) over following
        when lead(word) over following in ('de', 'do', 'da', 'dos', 'das', 'of') and not lead(is_stop, 2) over following
            then lead(word) over following || ' ' || lead(word, 2) over following
    end as next_words
from judged
window following as (partition by number order by place)
