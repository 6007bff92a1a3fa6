-- Outputs as people corrected them, the latest of each trace. Grain: (project_id, trace_id).
-- Reads `texts`. A correction of an observation counts where that observation gave the trace its output.
select
    c.project_id, c.trace_id,
    arg_max(
        case when json_valid(c.string_value) then c.string_value::json else to_json(c.string_value) end,
        (c.scored_at, c.score_id)
    ) as output
from marts.scores as c
join texts as x using (project_id, trace_id)
where c.data_type = 'CORRECTION' and c.string_value is not null
    and (c.observation_id is null or c.observation_id = x.output_place)
group by c.project_id, c.trace_id
