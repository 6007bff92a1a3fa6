-- Cost rows of FOCUS 1.2 (FinOps Open Cost and Usage Specification): all of its mandatory columns and those of its
-- others that traces can fill; columns of our own begin with x_ and come last. Grain: UTC day, project, provider,
-- model, feature, environment, source of the cost, unit. USD. Reads `selected`: observations that the filters pick.
-- Unpriced calls are no charge and are left out; so is what a wrapper repeats. Traces know neither discounts nor
-- invoices, so the four costs are one number, and who made the model stands for provider, publisher and issuer.
with charges as (
    select
        project_id,
        date_trunc('day', start_time) as day,
        coalesce(provider, 'other') as provider,
        coalesce(model, model_raw, lower(type)) as sku,
        trace_name,
        environment,
        cost_source,
        if(total_tokens > 0, 'Tokens', 'Requests') as unit,
        sum(if(total_tokens > 0, total_tokens, 1))::double as quantity,
        sum(cost_usd) as cost,
        count(*) as request_count,
        sum(input_tokens)::bigint as input_tokens,
        sum(output_tokens)::bigint as output_tokens,
        sum(cache_read_input_tokens)::bigint as cache_read_input_tokens,
        sum(reasoning_output_tokens)::bigint as reasoning_output_tokens
    from selected
    where cost_usd is not null and not is_double_counted
    group by all
),

projects as (select project_id, any_value(name) as name from raw.projects group by project_id)

select
    c.cost as "BilledCost",
    c.project_id as "BillingAccountId",
    p.name as "BillingAccountName",
    'USD' as "BillingCurrency",
    date_trunc('month', c.day)::timestamp + interval 1 month as "BillingPeriodEnd",
    date_trunc('month', c.day)::timestamp as "BillingPeriodStart",
    'Usage' as "ChargeCategory",
    null::varchar as "ChargeClass",
    c.sku || ' for ' || coalesce(c.trace_name, 'unnamed traces') || ' in ' || c.environment as "ChargeDescription",
    'Usage-Based' as "ChargeFrequency",
    c.day::timestamp + interval 1 day as "ChargePeriodEnd",
    c.day::timestamp as "ChargePeriodStart",
    c.quantity as "ConsumedQuantity",
    c.unit as "ConsumedUnit",
    c.cost as "ContractedCost",
    c.cost as "EffectiveCost",
    c.provider as "InvoiceIssuerName",
    c.cost as "ListCost",
    'Standard' as "PricingCategory",
    c.quantity as "PricingQuantity",
    c.unit as "PricingUnit",
    c.provider as "ProviderName",
    c.provider as "PublisherName",
    'AI and Machine Learning' as "ServiceCategory",
    c.provider || ' API' as "ServiceName",
    'Generative AI' as "ServiceSubcategory",
    c.provider || '/' || c.sku as "SkuId",
    c.unit as "SkuMeter",
    json_object('environment', c.environment, 'feature', c.trace_name)::varchar as "Tags",
    c.sku as "x_ModelName",
    c.trace_name as "x_FeatureName",
    c.environment as "x_EnvironmentName",
    c.cost_source as "x_CostSource",
    c.request_count as "x_RequestCount",
    c.input_tokens as "x_InputTokenCount",
    c.output_tokens as "x_OutputTokenCount",
    c.cache_read_input_tokens as "x_CacheReadInputTokenCount",
    c.reasoning_output_tokens as "x_ReasoningOutputTokenCount"
from charges as c
left join projects as p using (project_id)
order by c.day, c.project_id, c.provider, c.sku, c.trace_name, c.environment, c.cost_source, c.unit
