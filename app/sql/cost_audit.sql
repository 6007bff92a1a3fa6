-- What finance would ask about, by model and source of the cost. Grain: (model, cost_source). USD, tokens, calls.
-- Reads `selected`: observations that the filters pick. $models with $input, $output, $cache_read, $cache_write,
-- $reasoning: list prices, USD per million tokens. A cost counts cached tokens twice when it is within 2 % of the list
-- price plus the cached tokens once more as plain input, and not within 2 % of the list price itself.
with prices as (
    select
        unnest($models::varchar[]) as model,
        unnest($input::double[]) as input,
        unnest($output::double[]) as output,
        unnest($cache_read::double[]) as cache_read,
        unnest($cache_write::double[]) as cache_write,
        unnest($reasoning::double[]) as reasoning
),

calls as (
    select
        o.*,
        (
            greatest(o.input_tokens - coalesce(o.cache_read_input_tokens, 0) - coalesce(o.cache_creation_input_tokens, 0), 0)
                * p.input
            + coalesce(o.cache_read_input_tokens, 0) * p.cache_read
            + coalesce(o.cache_creation_input_tokens, 0) * p.cache_write
            + greatest(o.output_tokens - coalesce(o.reasoning_output_tokens, 0), 0) * p.output
            + coalesce(o.reasoning_output_tokens, 0) * p.reasoning
        ) / 1e6 as listed_usd,
        coalesce(o.cache_read_input_tokens, 0) * p.input / 1e6 as again_usd
    from selected o
    left join prices p using (model)
    where o.type in ('GENERATION', 'EMBEDDING') or o.reported_cost_usd is not null
),

marked as (
    select
        *,
        coalesce(again_usd > 0 and cost_source = 'langfuse'
            and abs(cost_usd - listed_usd - again_usd) <= 0.02 * (listed_usd + again_usd)
            and abs(cost_usd - listed_usd) > 0.02 * listed_usd, false) as is_cached_twice
    from calls
)

select
    coalesce(model, '(none)') as model,
    coalesce(cost_source, 'unpriced') as cost_source,
    count(*)::bigint as calls,
    coalesce(sum(total_tokens), 0)::bigint as total_tokens,
    sum(cost_usd)::double as cost_usd,
    sum(reported_cost_usd)::double as reported_usd,
    sum(listed_usd) filter (cost_usd is not null and not is_double_counted)::double as listed_usd,
    count(*) filter (is_cached_twice)::bigint as cached_twice,
    coalesce(sum(cost_usd - listed_usd) filter (is_cached_twice), 0)::double as cached_twice_usd
from marked
group by 1, 2
order by calls desc, model, cost_source
