-- grain: one row per record of GET /dataset-items
with typed as (
    select
        read_rank,
        json_type(record) as kind,
        json_transform(record, '{
            "id": "VARCHAR", "datasetId": "VARCHAR", "datasetName": "VARCHAR", "status": "VARCHAR",
            "input": "VARCHAR", "expectedOutput": "VARCHAR", "metadata": "JSON",
            "sourceTraceId": "VARCHAR", "sourceObservationId": "VARCHAR", "createdAt": "VARCHAR", "updatedAt": "VARCHAR"
        }') as r
    from records
)

select
    read_rank,
    case when kind <> 'OBJECT' then 'the record is not an object'
         when api_text(r.id) is null then 'the record has no id'
    end as problem,
    (select project_id from this_load) as project_id,
    r.id as item_id,
    api_text(r.datasetId) as dataset_id,
    api_text(r.datasetName) as dataset_name,
    api_text(r.status) as status,
    api_text(r.input) as input,
    api_text(r.expectedOutput) as expected_output,
    api_json(r.metadata) as metadata,
    api_text(r.sourceTraceId) as source_trace_id,
    api_text(r.sourceObservationId) as source_observation_id,
    api_time(r.createdAt) as created_at,
    api_time(r.updatedAt) as updated_at
from typed
