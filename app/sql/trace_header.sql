-- One trace, in every project that has the id. Grain: (project_id, trace_id). Times UTC, durations ms, cost USD.
-- base_url is the address of the Langfuse server that the project was synced from.
select
    t.project_id, t.trace_id, t.name, t.start_time, t.end_time, t.latency_ms, t.time_to_first_token_ms, t.user_id,
    t.session_id, t.environment, t.release, t.version, t.tags, t.models, t.observation_count, t.error_count, t.is_error,
    t.is_failed, t.input_tokens, t.output_tokens, t.total_tokens, t.cost_usd, t.unpriced_count, t.turn_index,
    t.first_error_group_id, p.base_url
from marts.traces as t
left join raw.projects as p using (project_id)
where t.trace_id = $trace_id and ($project is null or t.project_id = $project)
order by t.project_id
