-- grain: one row per record of GET /models
-- prices: the default tier's, USD per unit; tiers are missing on older servers, flat prices on newer ones
with typed as (
    select
        read_rank,
        json_type(record) as kind,
        json_transform(record, '{
            "id": "VARCHAR", "modelName": "VARCHAR", "matchPattern": "VARCHAR", "startDate": "VARCHAR", "unit": "VARCHAR",
            "isLangfuseManaged": "BOOLEAN", "prices": "MAP(VARCHAR, JSON)", "pricingTiers": "JSON",
            "inputPrice": "VARCHAR", "outputPrice": "VARCHAR", "totalPrice": "VARCHAR"
        }') as r,
        json_transform(json_extract(record, '$.pricingTiers'),
            '[{"isDefault": "BOOLEAN", "prices": "MAP(VARCHAR, DOUBLE)"}]') as tiers
    from records
),

priced as (
    select
        *,
        list_filter(tiers, lambda tier: tier.isDefault)[1].prices as tier_prices,
        -- a price is a number, or an object that holds one
        map_from_entries(list_transform(map_entries(r.prices), lambda entry: {
            'key': entry.key, 'value': try_cast(coalesce(entry.value ->> '$.price', entry.value ->> '$') as double)
        })) as flat_prices,
        map(['input', 'output', 'total'], [
            api_number(r.inputPrice), api_number(r.outputPrice), api_number(r.totalPrice)
        ]) as oldest_prices
    from typed
)

select
    read_rank,
    case when kind <> 'OBJECT' then 'the record is not an object'
         when api_text(r.id) is null then 'the record has no id'
    end as problem,
    (select project_id from this_load) as project_id,
    r.id as model_id,
    api_text(r.modelName) as model_name,
    api_text(r.matchPattern) as match_pattern,
    api_time(r.startDate) as start_date,
    api_text(r.unit) as unit,
    r.isLangfuseManaged as is_langfuse_managed,
    case when cardinality(api_numbers(tier_prices)) > 0 then api_numbers(tier_prices)
         when cardinality(api_numbers(flat_prices)) > 0 then api_numbers(flat_prices)
         else api_numbers(oldest_prices) end as prices,
    api_json(r.pricingTiers) as pricing_tiers
from priced
