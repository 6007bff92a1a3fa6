-- Traces as candidates of a dataset. Grain: (project_id, unit_id = trace), those with an input alone. Times UTC.
-- Reads `chosen`: traces; `texts`: what was said in them; `flaws`: the error or the low score that picked a trace;
-- `corrections`: outputs that people corrected; `strata`: (project_id, unit_id, stratum).
-- What was answered is only what should be answered where nothing speaks against it: with a flaw or an ERROR an item
-- expects the correction, or nothing, and keeps the answer as recorded_output.
select
    t.project_id,
    'trace' as kind,
    t.trace_id as unit_id,
    coalesce('session ' || t.session_id, 'trace ' || t.trace_id) as kept_together,
    t.start_time,
    x.words,
    x.input,
    case when c.output is not null then c.output when not t.is_doubtful then x.output end as expected_output,
    t.trace_id as source_trace_id,
    x.input_place as source_observation_id,
    coalesce(s.stratum, '(none)') as stratum,
    to_json({
        'trace_name': t.name,
        'session_id': t.session_id,
        'environment': t.environment,
        'release': t.release,
        'tags': t.tags,
        'models': t.models,
        'timestamp': strftime(t.start_time, '%Y-%m-%dT%H:%M:%S.%fZ'),
        'status': if(t.is_error, 'error', 'success'),
        'flaw': t.flaw,
        'is_corrected': c.output is not null,
        'recorded_output': case when t.is_doubtful or c.output is not null then x.output end
    }) as metadata
from (
    select c.*, c.is_error or f.trace_id is not null as is_doubtful, f.flaw
    from chosen as c
    left join flaws as f using (project_id, trace_id)
) as t
join texts as x using (project_id, trace_id)
left join corrections as c using (project_id, trace_id)
left join strata as s on s.project_id = t.project_id and s.unit_id = t.trace_id
