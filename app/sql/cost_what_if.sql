-- The selection's calls at another price list. Grain: model that answered. Tokens, USD.
-- Reads `selected`: observations that the filters pick. $above, $input, $output, $cache_read, $cache_write, $reasoning:
-- one entry per tier of the other model, USD per million tokens; the tier is the highest that the input tokens exceed.
-- Compared are calls with both tokens and a price; the others are counted as left_out.
with tiers as (
    select
        unnest($above::bigint[]) as above,
        unnest($input::double[]) as input,
        unnest($output::double[]) as output,
        unnest($cache_read::double[]) as cache_read,
        unnest($cache_write::double[]) as cache_write,
        unnest($reasoning::double[]) as reasoning
),

calls as (
    select
        coalesce(model, '(none)') as model,
        cost_usd,
        cost_usd is not null and coalesce(input_tokens, 0) + coalesce(output_tokens, 0) > 0 as is_compared,
        coalesce(input_tokens, 0) as input_tokens,
        coalesce(output_tokens, 0) as output_tokens,
        coalesce(cache_read_input_tokens, 0) as read,
        coalesce(cache_creation_input_tokens, 0) as written,
        coalesce(reasoning_output_tokens, 0) as reasoned
    from selected
    where type = 'GENERATION' and not is_double_counted
)

select
    c.model,
    count(*) filter (c.is_compared)::bigint as calls,
    count(*) filter (not c.is_compared)::bigint as left_out,
    coalesce(sum(c.input_tokens) filter (c.is_compared), 0)::double as input_tokens,
    coalesce(sum(c.output_tokens) filter (c.is_compared), 0)::double as output_tokens,
    coalesce(sum(c.cost_usd) filter (c.is_compared), 0)::double as cost_usd,
    coalesce(sum(
        greatest(c.input_tokens - c.read - c.written, 0) * t.input + c.read * t.cache_read + c.written * t.cache_write
        + greatest(c.output_tokens - c.reasoned, 0) * t.output + c.reasoned * t.reasoning
    ) filter (c.is_compared), 0)::double / 1e6 as other_usd
from calls c
asof join tiers t on c.input_tokens > t.above
group by 1
