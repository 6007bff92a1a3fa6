-- What every batch of a load needs: macros for values as the API writes them, and tables of this connection alone.
-- The session's zone is UTC so that a time with another offset is moved, not cut.
set timezone = 'UTC';

-- Text; the API writes "" for nothing.
create or replace temp macro api_text(value) as nullif(value, '');

-- A moment in UTC. A plain cast to TIMESTAMP would drop an offset instead of applying it.
create or replace temp macro api_time(value) as
    case when suffix(value, 'Z') then try_cast(value as timestamp)
         else make_timestamp(epoch_us(try_cast(value as timestamptz))) end;

-- A finite number, also when it was sent as text; NaN and infinity would spoil every sum they enter.
create or replace temp macro api_number(value) as
    case when isfinite(try_cast(value as double)) then try_cast(value as double) end;

-- An object of numbers, by key: servers of different generations order keys differently.
create or replace temp macro api_numbers(value) as
    map_from_entries(list_sort(list_filter(map_entries(value),
        lambda entry: entry.value is not null and isfinite(entry.value))));

-- A JSON value; null is nothing, and a text that holds JSON is that JSON.
create or replace temp macro api_json(value) as
    case when json_type(value) = 'NULL' then null
         when json_type(value) = 'VARCHAR' and json_valid(value ->> '$') then cast(value ->> '$' as json)
         else value end;

create or replace temp table this_load (
    run_id varchar, loaded_at timestamp, project_id varchar, entity varchar, family varchar, base_url varchar
);

create or replace temp table touched_traces (project_id varchar, trace_id varchar);
create or replace temp table touched_sessions (project_id varchar, session_id varchar);

-- What could not be stored, of the batch at work.
create or replace temp table rejected (reason varchar, record varchar);
