-- Times are ISO text, naive UTC: event time in alert_states and alert_history, the wall clock's in the columns
-- checked_at, recorded_at, made_at, next_at, begun_at and ended_at. A group is empty for a rule without a dimension.
-- One row for each rule: how far it looked, and what keeps it from looking.
create table if not exists alert_looks (
    rule text primary key,
    basis text not null,       -- what it measures, hashed: other measures start anew
    until text,                -- looked at up to here; null before the first look
    checked_at text not null,
    error text,
    error_since text
);
-- Where each group stands.
create table if not exists alert_states (
    rule text not null,
    grp text not null,
    level text not null,
    since text not null,
    began text,
    last_value real,
    last_at text,
    last_from text,
    last_n integer not null default 0,
    last_baseline real,
    told_level text not null,
    told_at text,
    primary key (rule, grp)
);
-- Every change of level and every repeated notice, once.
create table if not exists alert_history (
    rule text not null,
    grp text not null,
    at text not null,
    level text not null,
    before text not null,
    since text not null,       -- when the level began; of an end, when what is over began
    value real,
    n integer not null,
    baseline real,
    threshold real,
    kind text,                 -- of the notice; null when nobody was to be told
    notice_id text,
    snapshot integer,
    recorded_at text not null,
    primary key (rule, grp, at)
);
-- What is to be told: written together with the state that it tells of.
create table if not exists alert_notices (
    id text primary key,
    rule text not null,
    at text not null,
    made_at text not null,
    content text not null      -- JSON
);
-- One row for each notice and channel. Status: waiting, sending (begun, and not known how it ended), sent, given_up.
create table if not exists alert_deliveries (
    notice_id text not null,
    channel text not null,
    status text not null,
    attempts integer not null default 0,
    next_at text not null,
    begun_at text,
    ended_at text,
    error text,                -- of the last attempt, while it is not sent
    is_duplicate integer not null default 0,
    primary key (notice_id, channel)
);
create index if not exists alert_deliveries_open on alert_deliveries (channel) where status in ('waiting', 'sending');
