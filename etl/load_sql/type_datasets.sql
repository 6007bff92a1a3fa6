-- grain: one row per record of GET /v2/datasets
with typed as (
    select
        read_rank,
        json_type(record) as kind,
        json_transform(record, '{
            "id": "VARCHAR", "name": "VARCHAR", "description": "VARCHAR", "metadata": "JSON",
            "createdAt": "VARCHAR", "updatedAt": "VARCHAR"
        }') as r
    from records
)

select
    read_rank,
    case when kind <> 'OBJECT' then 'the record is not an object'
         when api_text(r.id) is null then 'the record has no id'
    end as problem,
    (select project_id from this_load) as project_id,
    r.id as dataset_id,
    api_text(r.name) as name,
    api_text(r.description) as description,
    api_json(r.metadata) as metadata,
    api_time(r.createdAt) as created_at,
    api_time(r.updatedAt) as updated_at
from typed
