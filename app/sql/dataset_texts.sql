-- What was asked and answered in some traces. Grain: (project_id, trace_id), those with an input alone. JSON as JSON.
-- Reads `wanted`: (project_id, trace_id). A trace's own words are those of its synthetic row, else of its root, as in
-- turn_texts.sql; where the client left both empty, the first and the last generation stand in. *_place names the row.
with rows_of as (
    select
        o.project_id, o.trace_id, o.observation_id, o.start_time,
        case when o.is_synthetic then 0 when o.is_root then 1 else 2 end as place,
        trim(p.input) not in ('', 'null', '""', '{}', '[]') as has_input,
        trim(p.output) not in ('', 'null', '""', '{}', '[]') as has_output
    from marts.observations as o
    join marts.payloads as p using (project_id, trace_id, observation_id)
    semi join wanted using (project_id, trace_id)
    where o.is_synthetic or o.is_root or o.type = 'GENERATION'
),

spoken as (
    select
        project_id, trace_id,
        arg_min(observation_id, (place, start_time, observation_id)) filter (has_input) as input_place,
        coalesce(
            arg_min(observation_id, (place, start_time, observation_id)) filter (has_output and place < 2),
            arg_max(observation_id, (start_time, observation_id)) filter (has_output and place = 2)
        ) as output_place
    from rows_of
    group by project_id, trace_id
)

select
    s.project_id, s.trace_id, s.input_place, s.output_place, i.input as words,
    case when json_valid(i.input) then i.input::json else to_json(i.input) end as input,
    case when json_valid(o.output) then o.output::json else to_json(o.output) end as output
from spoken as s
join marts.payloads as i
    on i.project_id = s.project_id and i.trace_id = s.trace_id and i.observation_id = s.input_place
left join marts.payloads as o
    on o.project_id = s.project_id and o.trace_id = s.trace_id and o.observation_id = s.output_place
