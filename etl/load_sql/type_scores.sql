-- grain: one row per record of GET /v3/scores, /v2/scores or /scores
-- The newest route types its value and names one subject; the older ones have stringValue and four ids.
with typed as (
    select
        read_rank,
        json_type(record) as kind,
        json_type(record, '$.value') as value_kind,
        json_transform(record, '{
            "id": "VARCHAR", "name": "VARCHAR", "dataType": "VARCHAR", "source": "VARCHAR",
            "value": "VARCHAR", "stringValue": "VARCHAR", "comment": "VARCHAR", "metadata": "JSON",
            "timestamp": "VARCHAR", "createdAt": "VARCHAR", "updatedAt": "VARCHAR", "environment": "VARCHAR",
            "subject": {"kind": "VARCHAR", "id": "VARCHAR", "traceId": "VARCHAR"},
            "traceId": "VARCHAR", "observationId": "VARCHAR", "sessionId": "VARCHAR", "datasetRunId": "VARCHAR",
            "configId": "VARCHAR", "queueId": "VARCHAR", "authorUserId": "VARCHAR"
        }') as r
    from records
),

placed as (
    select
        *,
        upper(coalesce(api_text(r.dataType), case when api_text(r.stringValue) is null then 'NUMERIC' else 'CATEGORICAL' end))
            as data_type,
        case when r.subject.kind = 'experiment' then 'dataset_run'
             when api_text(r.subject.kind) is not null then r.subject.kind
             when api_text(r.datasetRunId) is not null then 'dataset_run'
             when api_text(r.observationId) is not null then 'observation'
             when api_text(r.sessionId) is not null then 'session'
             when api_text(r.traceId) is not null then 'trace'
        end as subject_kind
    from typed
)

select
    read_rank,
    case when kind <> 'OBJECT' then 'the record is not an object'
         when api_text(r.id) is null then 'the record has no id'
         when api_time(r.timestamp) is null then 'timestamp is missing or is not a time'
    end as problem,
    (select project_id from this_load) as project_id,
    r.id as score_id,
    (select family from this_load) as family,
    api_text(r.name) as name,
    data_type,
    api_text(r.source) as source,
    case when value_kind = 'BOOLEAN' then cast(r.value = 'true' as double)
         when data_type in ('TEXT', 'CORRECTION') then null
         else api_number(r.value) end as value,
    case when api_text(r.stringValue) is not null then r.stringValue
         when value_kind = 'BOOLEAN' then case when r.value = 'true' then 'True' else 'False' end
         when value_kind = 'VARCHAR' and data_type not in ('NUMERIC', 'BOOLEAN') then api_text(r.value)
    end as string_value,
    api_text(r.comment) as comment,
    subject_kind,
    case when r.subject.kind = 'trace' then api_text(r.subject.id)
         else coalesce(api_text(r.subject.traceId), api_text(r.traceId)) end as trace_id,
    case when r.subject.kind = 'observation' then api_text(r.subject.id) else api_text(r.observationId) end as observation_id,
    case when r.subject.kind = 'session' then api_text(r.subject.id) else api_text(r.sessionId) end as session_id,
    case when r.subject.kind = 'experiment' then api_text(r.subject.id) else api_text(r.datasetRunId) end as dataset_run_id,
    api_time(r.timestamp) as scored_at,
    api_time(r.createdAt) as created_at,
    api_time(r.updatedAt) as updated_at,
    api_text(r.environment) as environment,
    api_text(r.configId) as config_id,
    api_text(r.authorUserId) as author_id,
    api_text(r.queueId) as queue_id,
    api_json(r.metadata) as metadata
from placed
