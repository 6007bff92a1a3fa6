-- grain: one row per project that records outputs at all
-- key: project_id
select unnest($projects::varchar[]) as project_id
