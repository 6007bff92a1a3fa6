-- grain: one row per observation that carries usage
-- key: span_key
-- Tokens in the sense of OpenTelemetry: input with what was read from and written to a cache, output with reasoning.
-- Langfuse's own base counts exclude those parts, other clients' include them: the total tells which, per side.
-- source: stg.observations, int_spans, usage_keys
with entries as (
    select observation.span_key, unnest(map_entries(observation.usage_details)) as entry
    from stg.observations as observation
    semi join int_spans using (span_key)
    where cardinality(observation.usage_details) > 0
),

spellings as (
    select
        key,
        regexp_replace(lower(key), '^(gen_ai\.usage\.|llm\.token_count\.)?(details\.)?', '') as usage_key
    from (select distinct entry.key as key from entries)
),

-- an unknown key counts on the side that its name tells, as on the server
kinds as (
    select
        spellings.key,
        coalesce(seed.kind, case when usage_key like '%input%' then 'input_other'
            when usage_key like '%output%' then 'output_other' else 'ignored' end) as kind,
        coalesce(seed.part, usage_key) as part,
        coalesce(seed.is_inside, false) as is_inside
    from spellings
    left join usage_keys as seed using (usage_key)
),

parts as (
    select entries.span_key, kinds.kind, kinds.part, bool_or(kinds.is_inside) as is_inside, max(entries.entry.value::double) as value
    from entries
    inner join kinds on kinds.key = entries.entry.key
    -- no call has more tokens than 1e12: such a number is noise
    where entries.entry.value between 0 and 1e12
    group by all
),

counted as (
    select
        span_key,
        max(value) filter (kind = 'input') as base_input,
        max(value) filter (kind = 'output') as base_output,
        max(value) filter (kind = 'total') as total,
        coalesce(sum(value) filter (kind = 'cache_read'), 0) as cache_read,
        coalesce(sum(value) filter (kind = 'cache_creation'), 0) as cache_creation,
        coalesce(sum(value) filter (kind = 'cache_creation' and part = '1h'), 0) as cache_creation_1h,
        coalesce(sum(value) filter (kind = 'reasoning'), 0) as reasoning,
        coalesce(sum(value) filter (kind = 'input_audio'), 0) as input_audio,
        coalesce(sum(value) filter (kind = 'output_audio'), 0) as output_audio,
        coalesce(sum(value) filter (kind in ('cache_read', 'cache_creation', 'input_audio', 'input_other') and not is_inside), 0) as beside_input,
        coalesce(sum(value) filter (kind in ('reasoning', 'output_audio', 'output_other') and not is_inside), 0) as beside_output,
        coalesce(sum(value) filter (kind in ('cache_read', 'cache_creation', 'input_audio') and is_inside), 0) as inside_input,
        coalesce(sum(value) filter (kind in ('reasoning', 'output_audio', 'output_other') and is_inside), 0) as inside_output,
        count(*) filter (kind not in ('input', 'output', 'total', 'ignored')) as part_count
    from parts
    group by span_key
)

select * from counted where coalesce(base_input, base_output, total) is not null or part_count > 0
