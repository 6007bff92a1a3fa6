-- grain: one row per sampled session and phrase that it uses
select distinct words.number, phrases.index
from sample_words as words
inner join sample_phrases as phrases on phrases.phrase = words.word || ' ' || words.next_words
order by all
