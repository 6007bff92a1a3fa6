-- grain: one row per phrase of two telling words that enough sampled sessions use; index numbers them by name
-- source: sample_words
with used as (
    select word || ' ' || next_words as phrase, count(distinct number) as sessions
    from sample_words
    where next_words is not null
    group by all
    having sessions >= $fewest
)

select row_number() over (order by phrase) - 1 as index, phrase
from (from used order by sessions desc, phrase limit $terms)
order by index
