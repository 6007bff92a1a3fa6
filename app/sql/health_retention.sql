-- How long the servers keep what was sent to them. Grain: project; those that say so.
select project_id, coalesce(name, project_id) as name, retention_days
from raw.projects
where retention_days > 0
order by retention_days, name
