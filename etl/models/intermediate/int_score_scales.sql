-- grain: one row per project and score name that has numbers
-- key: project_id, name
-- The scale of scores without a configuration: what the settings say; else 0 to 1 while no value ever exceeded 1, else 1 to 5.
-- source: stg.scores, int_score_settings
with history as (
    select project_id, name, max(value) as greatest_value
    from stg.scores
    where data_type = 'NUMERIC' and value is not null
    group by all
)

select
    history.project_id,
    history.name,
    coalesce(settings.minimum, if(history.greatest_value <= 1, 0, 1))::double as minimum,
    coalesce(settings.maximum, if(history.greatest_value <= 1, 1, 5))::double as maximum
from history
left join int_score_settings as settings using (name)
