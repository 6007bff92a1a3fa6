-- grain: one row per model name as clients sent it
-- key: model_raw
-- source: stg.observations, int_spans
with names as (
    select distinct observation.model_raw
    from stg.observations as observation
    semi join int_spans using (span_key)
    where observation.model_raw is not null
)

select
    model_raw,
    canonical_model(model_raw) as model,
    provider_of(canonical_model(model_raw)) as provider
from names
