-- grain: one row per record that the server returned, in every version of it
-- A record without id or time is not here: it can't be stored either.
create or replace temp table returned as
with records as (
    select json_transform(unnest(items), '{
        "id": "VARCHAR", "traceId": "VARCHAR", "startTime": "VARCHAR", "timestamp": "VARCHAR", "updatedAt": "VARCHAR"
    }') as r
    from page_lists
),

keyed as (
    select
        case $entity when 'observations' then r.traceId when 'traces' then r.id else '' end as trace_id,
        case $entity when 'traces' then 't-' || r.id else r.id end as row_id,
        api_time(case $entity when 'observations' then r.startTime else r.timestamp end) as started,
        coalesce(api_time(r.updatedAt), timestamp '0001-01-01') as updated_at
    from records
)

from keyed
where coalesce(row_id, '') <> '' and started is not null and ($entity = 'scores' or coalesce(trace_id, '') <> '')
