-- raw.*: what the API said, typed; one row per key, the newest version of each. Times are UTC.
-- meta.*: what a snapshot says about itself.
create schema if not exists raw;
create schema if not exists meta;
create schema if not exists marts;

-- One row per observation; key (project_id, trace_id, observation_id). A trace of the legacy family stands here as the
-- synthetic row 't-<trace_id>', as servers of generation 4 write it themselves. Empty strings are NULL.
create table raw.observations (
    project_id varchar not null,
    trace_id varchar not null,
    observation_id varchar not null,
    family varchar not null,                  -- 'modern' (/v2/observations) or 'legacy' (/traces, /observations)
    type varchar,
    name varchar,
    start_time timestamp not null,
    end_time timestamp,
    completion_start_time timestamp,          -- first token
    created_at timestamp,
    updated_at timestamp,
    parent_observation_id varchar,
    is_root_observation boolean,              -- as the server flagged it; NULL in the legacy family
    is_synthetic boolean not null,            -- a 't-<trace_id>' row: the trace object itself
    level varchar,
    status_message varchar,
    version varchar,
    release varchar,
    environment varchar,
    trace_name varchar,
    user_id varchar,
    session_id varchar,
    tags varchar[],
    public boolean,
    bookmarked boolean,
    model varchar,
    internal_model_id varchar,                -- id of the /models row that the server matched
    model_parameters json,
    usage_details map(varchar, double),
    cost_details map(varchar, double),
    total_cost double,                        -- USD, as the server said it; NULL when it said none
    latency_s double,                         -- as the server said it
    time_to_first_token_s double,
    prompt_id varchar,
    prompt_name varchar,
    prompt_version integer,
    metadata json,                            -- as received: nested (legacy) or with dotted keys (modern)
    input varchar,                            -- text as received
    output varchar,
    deleted_at timestamp,                     -- soft deletion: gone from the server in two complete re-reads
    run_id varchar not null                   -- the run that wrote this version
);

-- One row per score; key (project_id, score_id).
create table raw.scores (
    project_id varchar not null,
    score_id varchar not null,
    name varchar,
    data_type varchar,                        -- NUMERIC, BOOLEAN, CATEGORICAL, TEXT, CORRECTION
    source varchar,                           -- API, EVAL, ANNOTATION
    value double,                             -- number, or 0/1 of a boolean
    string_value varchar,                     -- category, text, correction, or 'True'/'False' of a boolean
    comment varchar,
    subject_kind varchar,                     -- trace, observation, session, dataset_run
    trace_id varchar,
    observation_id varchar,
    session_id varchar,
    dataset_run_id varchar,
    scored_at timestamp not null,
    created_at timestamp,
    updated_at timestamp,
    environment varchar,
    config_id varchar,
    author_id varchar,
    queue_id varchar,
    metadata json,
    deleted_at timestamp,
    run_id varchar not null
);

-- One row per session that the server lists (legacy family only); key (project_id, session_id).
create table raw.sessions (
    project_id varchar not null,
    session_id varchar not null,
    created_at timestamp,
    environment varchar,
    run_id varchar not null
);

-- One row per model definition, the server's own and the project's; key (project_id, model_id). Replaced whole.
create table raw.models (
    project_id varchar not null,
    model_id varchar not null,
    model_name varchar,
    match_pattern varchar,
    start_date timestamp,
    unit varchar,
    is_langfuse_managed boolean,
    prices map(varchar, double),              -- USD per unit by usage key, default tier
    pricing_tiers json,                       -- as received
    run_id varchar not null
);

-- One row per score configuration; key (project_id, config_id). Replaced whole.
create table raw.score_configs (
    project_id varchar not null,
    config_id varchar not null,
    name varchar,
    data_type varchar,
    is_archived boolean,
    min_value double,
    max_value double,
    categories json,
    run_id varchar not null
);

-- One row per project; key project_id.
create table raw.projects (
    project_id varchar not null,
    name varchar,
    organization_id varchar,
    organization_name varchar,
    retention_days integer,
    base_url varchar,
    run_id varchar not null
);

-- One row per applied migration.
create table meta.schema_version (version integer not null, name varchar not null, applied_at timestamp not null);

-- One row per project and entity: everything that starts before the watermark has been read without a gap.
create table meta.watermarks (
    project_id varchar not null,
    entity varchar not null,                  -- observations, scores
    family varchar not null,
    watermark timestamp not null,
    run_id varchar not null
);

-- One row: the time at which time-dependent columns were evaluated, and the run that published.
create table meta.as_of (as_of timestamp not null, run_id varchar not null, is_demo boolean not null);

-- One row per record that could not be typed; key (project_id, entity, record_hash).
create table meta.quarantine (
    project_id varchar not null,
    entity varchar not null,
    record_hash varchar not null,
    reason varchar not null,
    record varchar,                           -- raw JSON as received
    run_id varchar not null,
    quarantined_at timestamp not null
);

-- One row per field that the API sent and this version does not know; key (project_id, entity, field).
create table meta.unknown_fields (
    project_id varchar not null,
    entity varchar not null,
    field varchar not null,
    record_count bigint not null,
    first_run_id varchar not null
);
