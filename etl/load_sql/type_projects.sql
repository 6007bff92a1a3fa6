-- grain: one row per record of GET /projects
with typed as (
    select
        read_rank,
        json_type(record) as kind,
        json_transform(record, '{
            "id": "VARCHAR", "name": "VARCHAR", "retentionDays": "VARCHAR",
            "organization": {"id": "VARCHAR", "name": "VARCHAR"}
        }') as r
    from records
)

select
    read_rank,
    case when kind <> 'OBJECT' then 'the record is not an object'
         when api_text(r.id) is null then 'the record has no id'
    end as problem,
    r.id as project_id,
    api_text(r.name) as name,
    api_text(r.organization.id) as organization_id,
    api_text(r.organization.name) as organization_name,
    try_cast(r.retentionDays as integer) as retention_days,
    (select base_url from this_load) as base_url
from typed
