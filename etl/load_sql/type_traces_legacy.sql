-- grain: one row per record of GET /traces, as the synthetic observation 't-<trace id>' of later servers
-- Cost and latency of the list are sums over observations at the time of reading: they are derived again, not kept.
with typed as (
    select
        read_rank,
        json_type(record) as kind,
        json_transform(record, '{
            "id": "VARCHAR", "timestamp": "VARCHAR", "name": "VARCHAR", "createdAt": "VARCHAR", "updatedAt": "VARCHAR",
            "userId": "VARCHAR", "sessionId": "VARCHAR", "release": "VARCHAR", "version": "VARCHAR",
            "environment": "VARCHAR", "tags": ["VARCHAR"], "public": "BOOLEAN", "bookmarked": "BOOLEAN",
            "metadata": "JSON", "input": "VARCHAR", "output": "VARCHAR"
        }') as r
    from records
)

select
    read_rank,
    case when kind <> 'OBJECT' then 'the record is not an object'
         when api_text(r.id) is null then 'the record has no id'
         when api_time(r.timestamp) is null then 'timestamp is missing or is not a time'
    end as problem,
    (select project_id from this_load) as project_id,
    r.id as trace_id,
    't-' || r.id as observation_id,
    'legacy' as family,
    'SPAN' as type,
    api_text(r.name) as name,
    api_time(r.timestamp) as start_time,
    api_time(r.createdAt) as created_at,
    api_time(r.updatedAt) as updated_at,
    true as is_synthetic,
    'DEFAULT' as level,
    api_text(r.version) as version,
    api_text(r.release) as release,
    api_text(r.environment) as environment,
    api_text(r.name) as trace_name,
    api_text(r.userId) as user_id,
    api_text(r.sessionId) as session_id,
    r.tags as tags,
    r.public as public,
    r.bookmarked as bookmarked,
    map([]::varchar[], []::double[]) as usage_details,
    map([]::varchar[], []::double[]) as cost_details,
    api_json(r.metadata) as metadata,
    api_text(r.input) as input,
    api_text(r.output) as output
from typed
