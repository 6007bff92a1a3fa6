-- grain: one row per observation that a unit price applies to
-- key: span_key
-- units: USD per token
-- source: stg.observations, int_tokens, meta.prices. The tier is the highest one that the input tokens exceed.
with candidates as (
    select
        tokens.span_key,
        price.*,
        row_number() over (partition by tokens.span_key order by price.above_input_tokens desc) as place
    from int_tokens as tokens
    inner join stg.observations as observation using (span_key)
    inner join meta.prices as price
        on price.project_id = observation.project_id
        and price.model_raw = observation.model_raw
        and price.day = observation.start_time::date
    where price.source is not null and tokens.input_tokens > price.above_input_tokens
)

select
    span_key,
    source,
    input_per_million_usd / 1e6 as input,
    output_per_million_usd / 1e6 as output,
    cache_read_per_million_usd / 1e6 as cache_read,
    cache_creation_per_million_usd / 1e6 as cache_creation,
    cache_creation_1h_per_million_usd / 1e6 as cache_creation_1h,
    reasoning_per_million_usd / 1e6 as reasoning,
    input_audio_per_million_usd / 1e6 as input_audio,
    output_audio_per_million_usd / 1e6 as output_audio
from candidates
where place = 1
