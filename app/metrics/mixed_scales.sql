-- grain: one row per score name whose values were given on more than one scale, so that raw values can't be averaged:
--   the same value stands for two places on its scale, or values and places do not lie on one line
-- source: marts.scores
select name
from (
    select name, value, min(value_normalised) as lowest, max(value_normalised) as highest
    from marts.scores
    where value is not null and value_normalised > 0 and value_normalised < 1
    group by name, value
)
group by name
having max(highest - lowest) > 1e-9
    or regr_r2(lowest, value) < 1 - 1e-9
    or (count(*) > 1 and max(lowest) - min(lowest) < 1e-9)
