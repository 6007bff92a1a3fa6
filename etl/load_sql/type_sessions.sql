-- grain: one row per record of GET /sessions
with typed as (
    select
        read_rank,
        json_type(record) as kind,
        json_transform(record, '{"id": "VARCHAR", "createdAt": "VARCHAR", "environment": "VARCHAR"}') as r
    from records
)

select
    read_rank,
    case when kind <> 'OBJECT' then 'the record is not an object'
         when api_text(r.id) is null then 'the record has no id'
    end as problem,
    (select project_id from this_load) as project_id,
    r.id as session_id,
    api_time(r.createdAt) as created_at,
    api_text(r.environment) as environment
from typed
