-- grain: one row per record of GET /score-configs
with typed as (
    select
        read_rank,
        json_type(record) as kind,
        json_transform(record, '{
            "id": "VARCHAR", "name": "VARCHAR", "dataType": "VARCHAR", "isArchived": "BOOLEAN",
            "minValue": "VARCHAR", "maxValue": "VARCHAR", "categories": "JSON"
        }') as r
    from records
)

select
    read_rank,
    case when kind <> 'OBJECT' then 'the record is not an object'
         when api_text(r.id) is null then 'the record has no id'
    end as problem,
    (select project_id from this_load) as project_id,
    r.id as config_id,
    api_text(r.name) as name,
    upper(api_text(r.dataType)) as data_type,
    r.isArchived as is_archived,
    api_number(r.minValue) as min_value,
    api_number(r.maxValue) as max_value,
    api_json(r.categories) as categories
from typed
