-- grain: one row per project, model name as sent and day for which a unit price is needed
-- key: project_id, model_raw, day
-- Needed is a price where tokens are known and either the server stored no cost or an override is configured.
-- source: stg.observations, int_tokens, int_reported_costs, int_models, int_price_overrides
select distinct
    observation.project_id,
    observation.model_raw,
    observation.start_time::date as day,
    models.model,
    models.provider
from stg.observations as observation
inner join int_tokens as tokens using (span_key)
inner join int_models as models using (model_raw)
left join int_reported_costs as reported using (span_key)
where reported.reported_cost_usd is null
    or models.model in (select model from int_price_overrides)
    or lower(models.model_raw) in (select model from int_price_overrides)
