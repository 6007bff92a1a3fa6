-- Traces that show one arm, with it. Grain: (project_id, trace_id). Reads `arms`: traces with the arms that they show.
-- Further columns as marts.traces.
select * exclude (shown), shown[1] as arm
from arms
where len(shown) = 1
