-- meta.model_state: what the marts were built from; a difference makes the next run rebuild everything.
-- meta.prices: the unit prices that the price chain found; one row per project, model name as sent, day and tier of input
-- tokens (the row applies above that many). USD per million tokens. source NULL: looked up, no price known.
create schema if not exists stg;
create schema if not exists meta;
create schema if not exists marts;
create table if not exists meta.model_state (part varchar not null, fingerprint varchar not null);
create table if not exists meta.prices (
    project_id varchar not null,
    model_raw varchar not null,
    day date not null,
    above_input_tokens bigint not null,
    source varchar,
    source_name varchar,
    input_per_million_usd double,
    output_per_million_usd double,
    cache_read_per_million_usd double,
    cache_creation_per_million_usd double,
    cache_creation_1h_per_million_usd double,
    reasoning_per_million_usd double,
    input_audio_per_million_usd double,
    output_audio_per_million_usd double
);
