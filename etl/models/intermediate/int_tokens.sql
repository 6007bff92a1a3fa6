-- grain: one row per observation that carries usage
-- key: span_key
-- units: tokens
-- source: int_usage
with sides as (
    select
        *,
        coalesce(base_input, 0) as known_input,
        coalesce(base_output, 0) as known_output,
        -- parts that claim to be inside a base count smaller than themselves can't be
        if(inside_input > coalesce(base_input, 0), inside_input, 0) as outside_input,
        if(inside_output > coalesce(base_output, 0), inside_output, 0) as outside_output
    from int_usage
),

judged as (
    select
        *,
        -- the total is the base counts plus the parts beside them; where it isn't, see which side is whole without its parts
        case
            when total is null or total = known_input + beside_input + known_output + beside_output then false
            else total in (known_input + known_output, known_input + known_output + beside_output)
        end as is_input_whole,
        case
            when total is null or total = known_input + beside_input + known_output + beside_output then false
            else total in (known_input + known_output, known_input + beside_input + known_output)
        end as is_output_whole,
        base_input is null and base_output is null and part_count = 0 as is_total_only
    from sides
),

summed as (
    select
        *,
        if(is_total_only, total, known_input + outside_input + if(is_input_whole, 0, beside_input)) as all_input,
        known_output + outside_output + if(is_output_whole, 0, beside_output) as all_output
    from judged
)

select
    span_key,
    all_input::bigint as input_tokens,
    all_output::bigint as output_tokens,
    cache_read::bigint as cache_read_input_tokens,
    cache_creation::bigint as cache_creation_input_tokens,
    cache_creation_1h as cache_creation_1h_input_tokens,
    reasoning::bigint as reasoning_output_tokens,
    input_audio as input_audio_tokens,
    output_audio as output_audio_tokens,
    -- what is priced at the plain rate
    greatest(all_input - cache_read - cache_creation - input_audio, 0) as plain_input_tokens,
    greatest(all_output - reasoning - output_audio, 0) as plain_output_tokens,
    part_count,
    is_total_only
from summed
