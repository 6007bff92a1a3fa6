-- grain: one row per observation that carries usage, a cost or wraps one that does
-- key: span_key
-- The price chain: a configured override, the cost that the server stored, the project's model definitions, the price
-- list; none of them: unpriced, NULL. A wrapper costs nothing itself, whatever it reports.
-- units: tokens, USD
-- source: int_tokens, int_reported_costs, int_wrappers, int_span_prices
with spans as (
    select span_key from int_tokens
    union
    select span_key from int_reported_costs
    union
    select span_key from int_wrappers
),

priced as (
    select
        spans.span_key,
        wrapper.span_key is not null as is_double_counted,
        tokens.* exclude (span_key),
        tokens.span_key is not null as has_usage,
        reported.reported_cost_usd,
        price.source as price_source,
        round(tokens.plain_input_tokens * price.input
            + tokens.cache_read_input_tokens * price.cache_read
            + (tokens.cache_creation_input_tokens - tokens.cache_creation_1h_input_tokens) * price.cache_creation
            + tokens.cache_creation_1h_input_tokens * price.cache_creation_1h
            + tokens.input_audio_tokens * price.input_audio
            + tokens.plain_output_tokens * price.output
            + tokens.reasoning_output_tokens * price.reasoning
            + tokens.output_audio_tokens * price.output_audio, 12) as computed_cost_usd
    from spans
    left join int_tokens as tokens using (span_key)
    left join int_reported_costs as reported using (span_key)
    left join int_wrappers as wrapper using (span_key)
    left join int_span_prices as price using (span_key)
)

select
    * exclude (price_source, computed_cost_usd),
    case
        when is_double_counted then 0.0
        when price_source = 'override' then computed_cost_usd
        else coalesce(round(reported_cost_usd, 12), computed_cost_usd)
    end as cost_usd,
    case
        when is_double_counted then 'wrapper'
        when price_source = 'override' then price_source
        when reported_cost_usd is not null then 'langfuse'
        when computed_cost_usd is not null then price_source
    end as cost_source
from priced
