-- The lines of some items of a dataset, as JSON, in the order of ids. Reads `candidates` and `picked`: what
-- dataset_items.sql says of each of these items.
select
    to_json({
        'id': s.id,
        'input': c.input,
        'expectedOutput': c.expected_output,
        'metadata': json_merge_patch(c.metadata, to_json({'stratum': nullif(s.stratum, ''), 'split': s.split})),
        'sourceTraceId': c.source_trace_id,
        'sourceObservationId': c.source_observation_id
    })::varchar as line
from picked as s
join candidates as c using (project_id, unit_id)
order by s.id
