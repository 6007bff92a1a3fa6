-- grain: one row per observation of a touched trace whose metadata nests objects
-- key: span_key
-- Objects become dotted keys, as servers of generation 4 store them; lists stay JSON. Where a nested and a dotted key
-- meet, the one that was dotted already wins. Metadata without nesting is not touched and has no row here. Rows of a
-- trace often carry the same metadata: each text is flattened once.
-- source: stg.observations, int_spans
with recursive nested as (
    select observation.span_key, observation.metadata::varchar as text
    from stg.observations as observation
    semi join int_spans using (span_key)
    where contains(substr(observation.metadata::varchar, 2), '{') and json_type(observation.metadata) = 'OBJECT'
),

texts as (
    select text, row_number() over () as text_key
    from (select distinct text from nested)
),

entries (text_key, path, depth, kind, value) as (
    select texts.text_key, entry.key, 0, entry.type, entry.value
    from texts, json_each(texts.text::json) as entry
    union all
    select parent.text_key, parent.path || '.' || entry.key, parent.depth + 1, entry.type, entry.value
    from entries as parent, json_each(parent.value) as entry
    where parent.kind = 'OBJECT'
),

leaves as (
    select text_key, path, arg_min(value, depth) as value
    from entries
    where kind <> 'OBJECT' or value = '{}'
    group by text_key, path
),

flat as (
    select text_key, map_from_entries(list({'key': path, 'value': value} order by path))::json as metadata
    from leaves
    group by text_key
)

select nested.span_key, flat.metadata
from nested
inner join texts using (text)
inner join flat using (text_key)
