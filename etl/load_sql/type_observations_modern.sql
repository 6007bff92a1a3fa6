-- grain: one row per record of GET /v2/observations
with typed as (
    select
        read_rank,
        json_type(record) as kind,
        json_transform(record, '{
            "id": "VARCHAR", "traceId": "VARCHAR", "type": "VARCHAR", "name": "VARCHAR",
            "startTime": "VARCHAR", "endTime": "VARCHAR", "completionStartTime": "VARCHAR",
            "createdAt": "VARCHAR", "updatedAt": "VARCHAR",
            "parentObservationId": "VARCHAR", "isRootObservation": "BOOLEAN",
            "level": "VARCHAR", "statusMessage": "VARCHAR", "version": "VARCHAR", "release": "VARCHAR",
            "environment": "VARCHAR", "traceName": "VARCHAR", "userId": "VARCHAR", "sessionId": "VARCHAR",
            "tags": ["VARCHAR"], "public": "BOOLEAN", "bookmarked": "BOOLEAN",
            "model": "VARCHAR", "providedModelName": "VARCHAR", "internalModelId": "VARCHAR", "modelId": "VARCHAR",
            "modelParameters": "JSON", "metadata": "JSON",
            "usageDetails": "MAP(VARCHAR, DOUBLE)", "costDetails": "MAP(VARCHAR, DOUBLE)", "totalCost": "VARCHAR",
            "latency": "VARCHAR", "timeToFirstToken": "VARCHAR",
            "promptId": "VARCHAR", "promptName": "VARCHAR", "promptVersion": "VARCHAR",
            "input": "VARCHAR", "output": "VARCHAR"
        }') as r
    from records
)

select
    read_rank,
    case when kind <> 'OBJECT' then 'the record is not an object'
         when api_text(r.id) is null then 'the record has no id'
         when api_text(r.traceId) is null then 'the observation has no traceId'
         when api_time(r.startTime) is null then 'startTime is missing or is not a time'
    end as problem,
    (select project_id from this_load) as project_id,
    r.traceId as trace_id,
    r.id as observation_id,
    'modern' as family,
    api_text(r.type) as type,
    api_text(r.name) as name,
    api_time(r.startTime) as start_time,
    api_time(r.endTime) as end_time,
    api_time(r.completionStartTime) as completion_start_time,
    api_time(r.createdAt) as created_at,
    api_time(r.updatedAt) as updated_at,
    api_text(r.parentObservationId) as parent_observation_id,
    r.isRootObservation as is_root_observation,
    coalesce(r.id = 't-' || r.traceId, false) as is_synthetic,
    api_text(r.level) as level,
    api_text(r.statusMessage) as status_message,
    api_text(r.version) as version,
    api_text(r.release) as release,
    api_text(r.environment) as environment,
    api_text(r.traceName) as trace_name,
    api_text(r.userId) as user_id,
    api_text(r.sessionId) as session_id,
    r.tags as tags,
    r.public as public,
    r.bookmarked as bookmarked,
    -- the specification called the name providedModelName for a while; servers send it as model
    coalesce(api_text(r.model), api_text(r.providedModelName)) as model,
    coalesce(api_text(r.internalModelId), api_text(r.modelId)) as internal_model_id,
    api_json(r.modelParameters) as model_parameters,
    api_numbers(r.usageDetails) as usage_details,
    api_numbers(r.costDetails) as cost_details,
    -- 0 beside an empty costDetails is how the server says that it knows no cost
    case when cardinality(api_numbers(r.costDetails)) > 0 then api_number(r.totalCost)
         else nullif(api_number(r.totalCost), 0) end as total_cost,
    api_number(r.latency) as latency_s,
    api_number(r.timeToFirstToken) as time_to_first_token_s,
    api_text(r.promptId) as prompt_id,
    api_text(r.promptName) as prompt_name,
    try_cast(r.promptVersion as integer) as prompt_version,
    api_json(r.metadata) as metadata,
    api_text(r.input) as input,
    api_text(r.output) as output
from typed
