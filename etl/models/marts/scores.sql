-- grain: one row per score
-- key: project_id, score_id
-- value_normalised: 0 to 1 on the score's scale: its configuration's, else the settings', else inferred; clipped.
-- source: stg.scores, raw.score_configs, int_score_scales
with configs as (
    select
        project_id,
        config_id,
        coalesce(min_value, list_min(values)) as minimum,
        coalesce(max_value, list_max(values)) as maximum,
        categories
    from (
        select *, from_json(json_extract(categories, '$[*].value'), '["DOUBLE"]') as values
        from (select * replace (to_json(categories) as categories) from raw.score_configs)
    )
),

valued as (
    select
        score.*,
        coalesce(score.value, if(score.data_type = 'CATEGORICAL', list_extract(list_filter(
            from_json(config.categories, '[{"label": "VARCHAR", "value": "DOUBLE"}]'),
            lambda category: category.label = score.string_value
        ), 1).value, null)) as number,
        case when score.data_type = 'BOOLEAN' then 0 when config.config_id is null then scale.minimum else config.minimum end as minimum,
        case when score.data_type = 'BOOLEAN' then 1 when config.config_id is null then scale.maximum else config.maximum end as maximum
    from stg.scores as score
    semi join int_touched_scores using (project_id, score_id)
    left join configs as config using (project_id, config_id)
    left join int_score_scales as scale using (project_id, name)
)

select
    project_id,
    score_id,
    name,
    data_type,
    source,
    number as value,
    if(maximum > minimum and data_type in ('NUMERIC', 'BOOLEAN', 'CATEGORICAL'),
        least(greatest((number - minimum) / (maximum - minimum), 0), 1), null) as value_normalised,
    string_value,
    comment,
    subject_kind,
    trace_id,
    observation_id,
    session_id,
    dataset_run_id,
    scored_at,
    environment,
    config_id,
    author_id,
    metadata
from valued
