-- grain: one row per signal that a touched session was resolved or escalated
-- key: none (a session may carry the same signal twice)
-- A tag or a trace's name counts from the trace's end, a tool from its start, a score from when it was given.
-- source: int_session_traces, marts.observations, marts.scores, int_score_scales, int_escalation_names, int_settings
with scores as (
    select
        coalesce(traces.project_id, score.project_id) as project_id,
        coalesce(traces.session_id, score.session_id) as session_id,
        score.name,
        score.data_type,
        score.value,
        score.scored_at,
        coalesce(score.name = settings.satisfaction_score and score.data_type = 'NUMERIC' and score.value >= case
            when coalesce(config.max_value, scale.maximum) <= 1 then settings.satisfied_from_of_1
            when coalesce(config.max_value, scale.maximum) <= 5 then settings.satisfied_from_of_5
            else settings.satisfied_from_of_1 * coalesce(config.max_value, scale.maximum)
        end, false) as is_satisfied,
        score.name = settings.resolved_score and score.value = 1 and score.data_type in ('BOOLEAN', 'NUMERIC') as is_resolved
    from marts.scores as score
    cross join int_settings as settings
    left join int_score_scales as scale using (project_id, name)
    left join raw.score_configs as config using (project_id, config_id)
    left join int_session_traces as traces using (project_id, trace_id)
    where traces.trace_id is not null
        or (score.trace_id is null and (score.project_id, score.session_id) in (select project_id, session_id from int_touched_sessions))
),

tools as (
    select traces.project_id, traces.session_id, observation.tool_name, observation.start_time
    from marts.observations as observation
    inner join int_escalation_names as escalation on escalation.name = observation.tool_name
    inner join int_session_traces as traces using (project_id, trace_id)
    where observation.type = 'TOOL'
)

select project_id, session_id, 'resolved' as outcome, scored_at as signalled_at, 'score ' || name || ' is true' as reason
from scores where is_resolved
union all
select project_id, session_id, 'resolved', scored_at, 'score ' || name || ' is ' || format('{:g}', value)
from scores where is_satisfied
union all
select traces.project_id, traces.session_id, 'resolved', traces.end_time, 'tag ' || settings.resolved_tag
from int_session_traces as traces inner join int_settings as settings on list_contains(traces.tags, settings.resolved_tag)
union all
select project_id, session_id, 'escalated', scored_at, 'score ' || name || ' is true'
from scores where data_type = 'BOOLEAN' and value = 1 and name in (select name from int_escalation_names)
union all
select project_id, session_id, 'escalated', start_time, 'tool ' || tool_name from tools
union all
select project_id, session_id, 'escalated', end_time, 'trace ' || name
from int_session_traces where name in (select name from int_escalation_names)
union all
select traces.project_id, traces.session_id, 'escalated', traces.end_time, 'tag ' || escalation.name
from int_session_traces as traces
inner join int_escalation_names as escalation on list_contains(traces.tags, escalation.name)
