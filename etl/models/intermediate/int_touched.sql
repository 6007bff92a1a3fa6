-- grain: one row per trace to model again; trace_key numbers it within this run
-- key: project_id, trace_id
-- source: touched_traces, which the load leaves behind (every trace of the warehouse in a full rebuild)
select project_id, trace_id, row_number() over () as trace_key
from (select distinct project_id, trace_id from touched_traces)
