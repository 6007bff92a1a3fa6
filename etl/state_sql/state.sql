-- Times are ISO text, naive UTC; counts and value are JSON.
create table if not exists runs (
    run_id text primary key,
    started text not null,
    finished text,
    status text not null,
    counts text,
    requests integer not null default 0,
    retries integer not null default 0,
    rate_limit_wait_s real not null default 0,
    duration_s real,
    snapshot integer,
    error text
);
create table if not exists checked (
    project_id text not null,
    entity text not null,
    until text not null,
    base_run_id text not null,
    primary key (project_id, entity)
);
create table if not exists capabilities (place text primary key, value text not null);
create table if not exists looked_back (
    project_id text not null,
    entity text not null,
    done_at text not null,
    primary key (project_id, entity)
);
create table if not exists missing (
    project_id text not null,
    entity text not null,
    family text not null,
    trace_id text not null,
    row_id text not null,
    started text not null,
    missed_at text not null,
    primary key (project_id, entity, trace_id, row_id)
);
create table if not exists reconciled (
    project_id text not null,
    day text not null,
    server_count integer not null,
    warehouse_count integer not null,
    server_cost_usd real,
    warehouse_cost_usd real not null,
    matches integer not null,
    is_explained integer not null,
    reasons text not null,
    compared_at text not null,
    snapshot integer not null,
    primary key (project_id, day)
);
