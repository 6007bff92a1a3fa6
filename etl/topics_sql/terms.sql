-- grain: one row per term that enough sampled sessions use, and not nearly all; index numbers them by name
-- shown: the form that most sessions use
-- source: sample_words
with forms as (
    select term, word, count(distinct number) as sessions
    from sample_words
    where not is_stop
    group by all
),

used as (
    select term, count(distinct number) as sessions
    from sample_words
    where not is_stop
    group by all
    having sessions between $fewest and $most
),

kept as (
    from used
    order by sessions desc, term
    limit $terms
)

select
    row_number() over (order by term) - 1 as index,
    kept.term,
    kept.sessions,
    (select arg_max(word, (forms.sessions, word)) from forms where forms.term = kept.term) as shown
from kept
order by index
