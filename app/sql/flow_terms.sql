-- The words that make up each topic. Grain: (label).
select label, any_value(terms) as terms from marts.topics where label is not null group by label
