create table settings (
    name text primary key not null,
    value text not null
);
create table pools (
    name text primary key not null,
    created_ms integer not null
);
create table uplinks (
    name text primary key not null,
    created_ms integer not null
);
create table agents (
    agent_id text primary key not null,
    uplink text not null references uplinks (name) on delete cascade,
    name text not null,
    version text not null,
    signing_key text not null unique,
    sealing_key text not null,
    fingerprint text not null,
    enrolled_ms integer not null,
    last_seen_ms integer,
    revoked_ms integer
);
-- Only the SHA-256 of an enrolment token is kept.
create table enrolment_tokens (
    hash text primary key not null,
    uplink text not null references uplinks (name) on delete cascade,
    created_ms integer not null,
    expires_ms integer not null,
    used_ms integer,
    used_by text references agents (agent_id)
);
create table connections (
    name text primary key not null,
    pool text not null references pools (name),
    mode text not null,
    uplink text references uplinks (name),
    url text not null,
    username text not null,
    credential text not null,
    sealed text not null,
    max_parallel integer not null,
    created_ms integer not null,
    updated_ms integer not null
);
create table runs (
    number integer primary key autoincrement,
    connection text not null,
    pool text not null,
    spec text not null,
    state text not null,
    lease integer not null default 0,
    agent_id text,
    reason text,
    cancel_asked integer not null default 0,
    created_ms integer not null,
    started_ms integer,
    ended_ms integer,
    progress text not null,
    result text,
    error text
);
create index runs_by_state on runs (state, number);
create index runs_by_connection on runs (connection, number);
create table parts (
    run integer not null references runs (number) on delete cascade,
    part text not null,
    tbl text not null,
    generation integer not null,
    rows integer not null,
    bytes integer not null,
    columns integer not null,
    path text not null,
    primary key (run, part)
);
create table checkpoints (
    position integer primary key autoincrement,
    run integer not null references runs (number) on delete cascade,
    lease integer not null,
    sequence integer not null,
    entry text not null,
    unique (run, lease, sequence)
);
create table run_logs (
    position integer primary key autoincrement,
    run integer not null references runs (number) on delete cascade,
    at_ms integer not null,
    level text not null,
    event text not null,
    message text not null
);
create index run_logs_by_run on run_logs (run, position);
create table tables (
    pool text not null,
    connection text not null,
    tbl text not null,
    watermark_ms integer,
    run integer not null,
    updated_ms integer not null,
    rows integer not null,
    columns integer not null,
    files integer not null,
    bytes integer not null,
    version integer not null,
    path text not null,
    primary key (pool, connection, tbl)
);
