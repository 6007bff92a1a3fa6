-- grain: one row per observation, five to a trace, spread over 90 days before $end; $traces traces, 50,000 users
-- Everything follows from the trace's number by hashes, so the same numbers give the same rows.
with traces as (
    select
        range as number,
        (hash(range) >> 33)::bigint as h,
        printf('%032x', range) as trace_id,
        $end::timestamp - interval 90 days + to_microseconds((range * (90.0 * 86400e6 / $traces))::bigint) as started,
        ['support-chat', 'docs-rag', 'coding-agent', 'nightly-summary', 'triage'][1 + (hash(range, 'name') >> 33)::bigint % 5] as name,
        ['gpt-4o-mini-2024-07-18', 'gpt-4o-2024-08-06', 'claude-sonnet-4-20250514', 'gemini-2.5-flash', 'o4-mini',
         'gpt-4.1-mini', 'claude-3-5-haiku-20241022', 'text-embedding-3-small'][1 + (hash(range, 'model') >> 33)::bigint % 8] as model,
        -- a heavy tail: half of the traffic comes from a twentieth of the users
        case when (hash(range, 'tail') >> 33)::bigint % 2 = 0 then (hash(range, 'user') >> 33)::bigint % 2500 else (hash(range, 'user') >> 33)::bigint % 50000 end as user_number
    from range($traces)
),

spans as (
    select *, unnest(range(5)) as place from traces
)

select
    'bench' as project_id,
    trace_id,
    trace_id || '-' || place as observation_id,
    'modern' as family,
    ['AGENT', 'RETRIEVER', 'GENERATION', 'TOOL', 'GENERATION'][place + 1] as type,
    ['agent', 'search-docs', 'draft', 'lookup_order', 'answer'][place + 1] as name,
    started + to_milliseconds(place * 137) as start_time,
    started + to_milliseconds(place * 137 + 120 + (hash(number, place) >> 33)::bigint % 1900) as end_time,
    case when place in (2, 4) then started + to_milliseconds(place * 137 + 60) end as completion_start_time,
    started + interval 3 seconds as created_at,
    started + interval 3 seconds as updated_at,
    case when place > 0 then trace_id || '-0' end as parent_observation_id,
    place = 0 as is_root_observation,
    false as is_synthetic,
    case when h % 29 = 0 and (place = 3 or place = 0 and h % 2 = 0) then 'ERROR' else 'DEFAULT' end as level,
    case when place = 3 and h % 29 = 0
         then ['TimeoutError: crm took longer than ', 'RateLimitError: Error code: 429, retry in ',
               'LookupError: order not found after '][1 + h % 3] || (h % 60) || ' s' end as status_message,
    'agent-3' as version,
    'web-5.' || (number * 12 // $traces) || '.0' as release,
    case when h % 20 = 0 then 'staging' else 'production' end as environment,
    name as trace_name,
    'u-' || user_number as user_id,
    's-' || (number // 3) as session_id,
    ['agent_id:' || name, 'variant_' || ['A', 'B'][1 + user_number % 2]] as tags,
    case when place in (2, 4) then model end as model,
    case when place in (2, 4) then '{"temperature": 0.2}'::json end as model_parameters,
    case when place in (2, 4) then map(['input', 'output', 'input_cached_tokens'],
        [900.0 + h % 700, 80.0 + (hash(h) >> 33)::bigint % 90, (h % 5) * 100.0]) else map([]::varchar[], []::double[]) end as usage_details,
    case when place in (2, 4) and h % 25 > 0 then map(['total'], [0.0001 + (h % 97) * 1e-5])
         else map([]::varchar[], []::double[]) end as cost_details,
    case when place in (2, 4) and h % 25 > 0 then 0.0001 + (h % 97) * 1e-5 end as total_cost,
    json_object('tenant', 't-' || (h % 40), 'attempt', 1) as metadata,
    '[{"role": "user", "content": "' || repeat(md5(number::varchar) || ' ', 12) || '"}]' as input,
    '{"role": "assistant", "content": "' || repeat(md5(trace_id) || ' ', 8) || '"}' as output,
    'bench' as run_id
from spans
