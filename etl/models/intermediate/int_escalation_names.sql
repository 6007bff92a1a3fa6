-- grain: one row per name that means escalation: of a trace, a tool, a tag or a score
-- key: name
-- source: int_session_traces, marts.observations, marts.scores, int_settings
with names as (
    select name from int_session_traces
    union
    select unnest(tags) from int_session_traces
    union
    select tool_name from marts.observations where type = 'TOOL'
    union
    select name from marts.scores where data_type = 'BOOLEAN'
)

select names.name
from names
cross join int_settings as settings
where names.name is not null and regexp_matches(names.name, settings.escalation_pattern)
