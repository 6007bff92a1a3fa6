-- grain: one row per thing, beside code and definitions, that every mart row may depend on
-- key: part
-- source: raw.models, raw.score_configs, int_score_scales, int_recording_projects, raw.observations
select 'model definitions of the server' as part,
    coalesce(bit_xor(hash(project_id, model_id, match_pattern, start_date, is_langfuse_managed, prices, pricing_tiers)), 0)::varchar as fingerprint
from raw.models
union all
select 'score configurations', coalesce(bit_xor(hash(project_id, config_id, data_type, min_value, max_value, categories)), 0)::varchar
from raw.score_configs
union all
select 'projects that record outputs', coalesce(string_agg(project_id, ' ' order by project_id), '')
from int_recording_projects
union all
-- one fact per score name: a new name rebuilds nothing, a changed scale does
select 'scale of score ' || name || ' in ' || project_id, minimum || ' to ' || maximum
from int_score_scales
