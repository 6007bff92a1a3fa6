-- One error group over all history, in every project that has the id. Grain: (project_id, error_group_id). Times UTC.
select
    project_id, error_group_id, title, error_class, sample_message, first_seen, last_seen, occurrence_count, trace_count,
    session_count, user_count, state
from marts.error_groups
where error_group_id = $group and ($project is null or project_id = $project)
order by project_id
