-- Model calls of the window whose usage or price is not sure, one row. Reads `selected`: observations of the window.
-- doubtful: what was reported can't be right (output larger than the total, and the like); unpriced_models: the models
-- without a known price, the most used first, at most ten.
with calls as (
    select o.model, o.usage_source, o.cost_source
    from selected as o
    where o.type in ('GENERATION', 'EMBEDDING')
),

unpriced as (
    select coalesce(model, '(none)') as model, count(*) as calls from calls where cost_source is null group by all
)

select
    (select count(*) from calls) as calls,
    (select count(*) from calls where usage_source = 'doubtful') as doubtful,
    (select coalesce(sum(calls), 0)::bigint from unpriced) as unpriced,
    (select count(*) from unpriced) as unpriced_model_count,
    (select list(model order by calls desc, model)[:10] from unpriced) as unpriced_models
