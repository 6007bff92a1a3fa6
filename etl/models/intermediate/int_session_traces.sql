-- grain: one row per trace of a touched session
-- key: project_id, trace_id
-- step: what this turn is called in the flow of the conversation, by the [flow] setting
-- source: marts.traces, int_touched_sessions, int_settings
with chosen as (
    select traces.*, settings.step as step_setting
    from marts.traces as traces
    semi join int_touched_sessions using (project_id, session_id)
    cross join int_settings as settings
),

roots as (
    select observation.project_id, observation.trace_id, observation.name
    from marts.observations as observation
    where observation.is_root
        and (select step from int_settings) in ('root', 'root_observation', 'observation')
)

select
    chosen.* exclude (step_setting),
    coalesce(case
        when step_setting like 'tag:%' then substr(list_filter(chosen.tags,
            lambda tag: starts_with(tag, rtrim(substr(step_setting, 5), ':*') || ':'))[1],
            length(rtrim(substr(step_setting, 5), ':*')) + 2)
        when step_setting like 'metadata.%' then chosen.metadata ->> substr(step_setting, 10)
        when step_setting in ('root', 'root_observation', 'observation') then roots.name
        else chosen.name
    end, chosen.name, '(unnamed)') as step
from chosen
left join roots using (project_id, trace_id)
