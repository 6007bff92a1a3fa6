-- grain: one row per observation for which the server named a cost
-- key: span_key
-- A cost of 0 without any detail is how servers say that they know no price: that is no cost. Nor is an absurd one.
-- units: USD
-- source: stg.observations, int_spans
with named as (
    select
        observation.span_key,
        case
            when observation.total_cost <> 0 then observation.total_cost
            when observation.cost_details['total'] is not null then observation.cost_details['total']
            else list_sum(map_values(observation.cost_details))
        end::double as reported_cost_usd
    from stg.observations as observation
    semi join int_spans using (span_key)
    where cardinality(observation.cost_details) > 0 or observation.total_cost <> 0
)

select span_key, reported_cost_usd
from named
where abs(reported_cost_usd) < 1e9
