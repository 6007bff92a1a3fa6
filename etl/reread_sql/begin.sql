-- What one run learns by reading again, in tables of its own connection; row_id is an observation's or a score's id, and
-- trace_id is empty for a score. The macros of the load are there already.
-- looked: stretches of time that were read again to their end; missing_now: what the warehouse holds of them and the
-- server left out; moved: what it returned in another stretch than the one where the warehouse has it.
create or replace temp table looked (
    project_id varchar, entity varchar, family varchar, start_at timestamp, end_at timestamp
);
create or replace temp table missing_now (
    project_id varchar, entity varchar, family varchar, trace_id varchar, row_id varchar, started timestamp
);
create or replace temp table moved (project_id varchar, entity varchar, trace_id varchar, row_id varchar);
create or replace temp table missing_before (
    project_id varchar, entity varchar, family varchar, trace_id varchar, row_id varchar, started timestamp,
    missed_at timestamp
);
