-- grain: one row per record of GET /experiments
with typed as (
    select
        read_rank,
        json_type(record) as kind,
        json_transform(record, '{
            "id": "VARCHAR", "name": "VARCHAR", "description": "VARCHAR", "datasetId": "VARCHAR",
            "startTime": "VARCHAR", "endTime": "VARCHAR", "itemCount": "VARCHAR", "metadata": "JSON"
        }') as r
    from records
)

select
    read_rank,
    case when kind <> 'OBJECT' then 'the record is not an object'
         when api_text(r.id) is null then 'the record has no id'
    end as problem,
    (select project_id from this_load) as project_id,
    r.id as experiment_id,
    api_text(r.name) as name,
    api_text(r.description) as description,
    api_text(r.datasetId) as dataset_id,
    api_time(r.startTime) as start_time,
    api_time(r.endTime) as end_time,
    try_cast(r.itemCount as bigint) as item_count,
    api_json(r.metadata) as metadata
from typed
