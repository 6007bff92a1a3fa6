-- What evaluations are made of; read only where it is asked for. Each list is replaced whole.

-- One row per dataset; key (project_id, dataset_id).
create table raw.datasets (
    project_id varchar not null,
    dataset_id varchar not null,
    name varchar,
    description varchar,
    metadata json,
    created_at timestamp,
    updated_at timestamp,
    run_id varchar not null
);

-- One row per active item; key (project_id, item_id).
create table raw.dataset_items (
    project_id varchar not null,
    item_id varchar not null,
    dataset_id varchar,
    dataset_name varchar,
    status varchar,
    input varchar,                            -- text as received
    expected_output varchar,
    metadata json,
    source_trace_id varchar,
    source_observation_id varchar,
    created_at timestamp,
    updated_at timestamp,
    run_id varchar not null
);

-- One row per run over a dataset, which Langfuse calls an experiment; key (project_id, experiment_id).
create table raw.experiments (
    project_id varchar not null,
    experiment_id varchar not null,
    name varchar,
    description varchar,
    dataset_id varchar,
    start_time timestamp,
    end_time timestamp,
    item_count bigint,
    metadata json,
    run_id varchar not null
);
