-- What the bridge is made of. Grain: (trace_name, model); `(none)` where missing. Tokens as OpenTelemetry counts them.
-- Reads `selected`: observations that the filters pick. A wrapper costs and counts nothing.
-- calls have a price; unpriced are calls of a model without one, whose tokens are in no other column.
select
    coalesce(trace_name, '(none)') as trace_name,
    coalesce(model, '(none)') as model,
    any_value(provider) as provider,
    count(*) filter (cost_usd is not null)::double as calls,
    coalesce(sum(cost_usd), 0)::double as cost_usd,
    coalesce(sum(input_tokens) filter (cost_usd is not null), 0)::double as input_tokens,
    coalesce(sum(output_tokens) filter (cost_usd is not null), 0)::double as output_tokens,
    coalesce(sum(cache_read_input_tokens) filter (cost_usd is not null), 0)::double as cache_read_tokens,
    coalesce(sum(cache_creation_input_tokens) filter (cost_usd is not null), 0)::double as cache_write_tokens,
    count(*) filter (cost_usd is null)::bigint as unpriced
from selected
where not is_double_counted and (cost_usd is not null or type in ('GENERATION', 'EMBEDDING'))
group by 1, 2
