-- Touches every trace and session of the warehouse, for a full rebuild: also those that only a score knows.
create or replace temp table touched_traces as
    select project_id, trace_id from raw.observations
    union
    select project_id, trace_id from raw.scores where trace_id is not null;
create or replace temp table touched_sessions as
    select distinct project_id, session_id from raw.scores where session_id is not null;
