-- What the run that published this snapshot changed, so that the file before it can be brought up to it.

-- One row: the run, the run that published the snapshot it started from, and whether every row may differ from there.
create table meta.publication (run_id varchar not null, base_run_id varchar, is_full boolean not null);

-- One row per trace, session and score whose rows in the marts were replaced. Rows of raw.observations and raw.scores
-- name the run that changed them themselves.
create table meta.changed_traces (project_id varchar not null, trace_id varchar not null);
create table meta.changed_sessions (project_id varchar not null, session_id varchar not null);
create table meta.changed_scores (project_id varchar not null, score_id varchar not null);
