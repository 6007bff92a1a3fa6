-- Where a text occurs inside one trace. Grain: one row per observation that has it; places says in which of its fields.
-- $text is lower case. $escaped is the same as JSON writes it, for payloads stored as JSON.
with fields as (
    select
        o.observation_id,
        unnest([
            {'rank': 1, 'place': 'name', 'words': concat_ws(' ', o.name, o.tool_name, o.type, o.observation_id)},
            {'rank': 2, 'place': 'message', 'words': o.status_message},
            {'rank': 3, 'place': 'model', 'words': concat_ws(' ', o.model, o.model_raw, o.prompt_name)},
            {'rank': 4, 'place': 'input', 'words': p.input},
            {'rank': 5, 'place': 'output', 'words': p.output},
            {'rank': 6, 'place': 'metadata', 'words': o.metadata::varchar},
            {'rank': 7, 'place': 'parameters', 'words': o.model_parameters::varchar}
        ], recursive := true)
    from marts.observations as o
    left join marts.payloads as p using (project_id, trace_id, observation_id)
    where o.project_id = $project_id and o.trace_id = $trace_id
)

select observation_id, list(place order by rank) as places
from fields
where contains(lower(words), $text) or contains(lower(words), $escaped)
group by observation_id
