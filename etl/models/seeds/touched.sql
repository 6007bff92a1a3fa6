-- The tables that a load leaves behind, empty where it left none.
create temp table if not exists touched_traces (project_id varchar, trace_id varchar);
create temp table if not exists touched_sessions (project_id varchar, session_id varchar);
