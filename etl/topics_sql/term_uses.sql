-- grain: one row per sampled session and term that it uses
select distinct words.number, terms.index
from sample_words as words
inner join sample_terms as terms using (term)
where not words.is_stop
order by all
