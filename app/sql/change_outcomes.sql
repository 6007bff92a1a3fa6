-- Sums from which a change of escalations can be told from chance. One row. Reads `selected`: sessions.
-- The unit that varies by itself is a user, else a session. escalated: sums over sessions with a known outcome; _n: how many
-- these are; _xx, _xn, _nn: sums over units of the squares and of the product.
with units as (
    select
        coalesce('u' || user_ids[1], 's' || session_id) as unit,
        count(*)::double as n,
        count(*) filter (outcome = 'escalated')::double as escalated
    from selected
    where outcome in ('resolved', 'escalated', 'abandoned')
    group by all
)

select
    count(*)::double as units,
    coalesce(sum(escalated), 0) as escalated, coalesce(sum(escalated * escalated), 0) as escalated_xx,
    coalesce(sum(escalated * n), 0) as escalated_xn,
    coalesce(sum(n), 0) as escalated_n, coalesce(sum(n * n), 0) as escalated_nn
from units
