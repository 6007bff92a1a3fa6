-- grain: one row per record of GET /observations; what belongs to the trace comes with the trace's own row
with typed as (
    select
        read_rank,
        json_type(record) as kind,
        json_transform(record, '{
            "id": "VARCHAR", "traceId": "VARCHAR", "type": "VARCHAR", "name": "VARCHAR",
            "startTime": "VARCHAR", "endTime": "VARCHAR", "completionStartTime": "VARCHAR",
            "createdAt": "VARCHAR", "updatedAt": "VARCHAR", "parentObservationId": "VARCHAR",
            "level": "VARCHAR", "statusMessage": "VARCHAR", "version": "VARCHAR", "environment": "VARCHAR",
            "model": "VARCHAR", "providedModelName": "VARCHAR", "modelId": "VARCHAR",
            "modelParameters": "JSON", "metadata": "JSON",
            "usageDetails": "MAP(VARCHAR, DOUBLE)", "costDetails": "MAP(VARCHAR, DOUBLE)",
            "usage": {"unit": "VARCHAR", "input": "VARCHAR", "output": "VARCHAR", "total": "VARCHAR"},
            "unit": "VARCHAR", "promptTokens": "VARCHAR", "completionTokens": "VARCHAR", "totalTokens": "VARCHAR",
            "calculatedInputCost": "VARCHAR", "calculatedOutputCost": "VARCHAR", "calculatedTotalCost": "VARCHAR",
            "latency": "VARCHAR", "timeToFirstToken": "VARCHAR",
            "promptId": "VARCHAR", "promptName": "VARCHAR", "promptVersion": "VARCHAR",
            "input": "VARCHAR", "output": "VARCHAR"
        }') as r
    from records
),

-- Servers before v3.20 send no usageDetails and no costDetails: the flat numbers stand in, zeros meaning nothing.
flat as (
    select
        *,
        upper(coalesce(api_text(r.usage.unit), api_text(r.unit), 'TOKENS')) as unit,
        nullif(coalesce(api_number(r.usage.input), api_number(r.promptTokens)), 0) as input_usage,
        nullif(coalesce(api_number(r.usage.output), api_number(r.completionTokens)), 0) as output_usage,
        nullif(coalesce(api_number(r.usage.total), api_number(r.totalTokens)), 0) as total_usage,
        api_number(r.calculatedInputCost) as input_cost,
        api_number(r.calculatedOutputCost) as output_cost,
        api_number(r.calculatedTotalCost) as all_cost
    from typed
),

complete as (
    select
        * exclude (unit),
        case when r.usageDetails is not null then api_numbers(r.usageDetails)
             else api_numbers(map(
                 -- characters, images or seconds must not be counted as tokens
                 [part || case when unit = 'TOKENS' then '' else '_' || lower(unit) end
                  for part in ['input', 'output', 'total']],
                 [input_usage, output_usage, total_usage]))
        end as usage_details,
        case when r.costDetails is not null then api_numbers(r.costDetails)
             when coalesce(input_cost, output_cost, nullif(all_cost, 0)) is null then map([]::varchar[], []::double[])
             else api_numbers(map(['input', 'output', 'total'], [input_cost, output_cost, all_cost]))
        end as cost_details
    from flat
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
    'legacy' as family,
    api_text(r.type) as type,
    api_text(r.name) as name,
    api_time(r.startTime) as start_time,
    api_time(r.endTime) as end_time,
    api_time(r.completionStartTime) as completion_start_time,
    api_time(r.createdAt) as created_at,
    api_time(r.updatedAt) as updated_at,
    api_text(r.parentObservationId) as parent_observation_id,
    coalesce(r.id = 't-' || r.traceId, false) as is_synthetic,
    api_text(r.level) as level,
    api_text(r.statusMessage) as status_message,
    api_text(r.version) as version,
    api_text(r.environment) as environment,
    coalesce(api_text(r.model), api_text(r.providedModelName)) as model,
    api_text(r.modelId) as internal_model_id,
    api_json(r.modelParameters) as model_parameters,
    usage_details,
    cost_details,
    -- 0 beside an empty costDetails is how the server says that it knows no cost
    case when cardinality(cost_details) > 0 then coalesce(all_cost, cost_details['total']) else nullif(all_cost, 0) end
        as total_cost,
    api_number(r.latency) as latency_s,
    api_number(r.timeToFirstToken) as time_to_first_token_s,
    api_text(r.promptId) as prompt_id,
    api_text(r.promptName) as prompt_name,
    try_cast(r.promptVersion as integer) as prompt_version,
    api_json(r.metadata) as metadata,
    -- this family parses payloads; here they become text again, a string its own
    api_text(r.input) as input,
    api_text(r.output) as output
from complete
