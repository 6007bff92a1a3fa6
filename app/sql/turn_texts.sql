-- What was said in some traces. Grain: one row per trace. Text as received; a text longer than $longest is cut there.
-- The trace's own words are those of its synthetic row, else of its root, else of its earliest row. Where the client
-- left both empty (agent frameworks do), the first and the last generation stand in.
-- Times spare the engine all blocks of rows but a few: ids are in no order.
with span as (
    select min(start_time) as since, max(end_time) as until
    from marts.traces
    where project_id = $project_id and trace_id in (select unnest($trace_ids))
),

rows_of as (
    select
        project_id, trace_id, observation_id, start_time,
        case when is_synthetic then 0 when is_root then 1 else 2 end as place,
        type = 'GENERATION' as is_generation
    from marts.observations
    where project_id = $project_id and trace_id in (select unnest($trace_ids))
        and start_time between (select since from span) and (select until from span)
),

texts as (
    select r.*, left(p.input, $longest) as input, left(p.output, $longest) as output
    from rows_of as r
    join raw.observations as p using (project_id, trace_id, observation_id, start_time)
    where p.deleted_at is null
),

own as (
    select
        trace_id,
        first(input order by place, start_time, observation_id) filter (place < 2 and input is not null) as input,
        first(output order by place, start_time, observation_id) filter (place < 2 and output is not null) as output,
        first(input order by start_time, observation_id) filter (is_generation and input is not null) as first_input,
        last(output order by start_time, observation_id) filter (is_generation and output is not null) as last_output
    from texts
    group by trace_id
)

select
    trace_id,
    coalesce(input, first_input) as input,
    case when input is null and output is null then last_output else output end as output
from own
