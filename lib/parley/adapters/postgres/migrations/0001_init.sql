-- Everything Parley owes somebody is a row with a state and a time at which something is due.
-- Times are the database's own clock. Ids are UUIDv7, made by the application.

create extension if not exists vector;

create table users (
    id           uuid primary key,
    email        text unique check (email = lower(email)),
    display_name text not null default '',
    timezone     text,
    groups       text[] not null default '{}',
    created_at   timestamptz not null default now()
);

-- A person's Slack id (`slack`, `T1:U1`), e-mail address (`email`) or API subject (`api`).
create table user_identities (
    kind       text not null check (kind in ('slack', 'email', 'api')),
    value      text not null,
    user_id    uuid not null references users on delete cascade,
    created_at timestamptz not null default now(),
    primary key (kind, value)
);
create index user_identities_user on user_identities (user_id);

create table sessions (
    id             uuid primary key,
    user_id        uuid not null references users,
    conversation   text,                          -- where it takes place, such as `slack:T1:C1`; null for the API
    status         text not null default 'open' check (status in ('open', 'closed')),
    agent          text,                          -- who is in charge; null: the entry agent
    model_thread   text,                          -- the model server's conversation id: a convenience, never the truth
    next_seq       bigint not null default 1,
    expires_at     timestamptz not null,          -- slides with each request
    input_tokens   bigint not null default 0,
    output_tokens  bigint not null default 0,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now()
);
create index sessions_recent on sessions (user_id, conversation, updated_at desc);

create table requests (
    id             uuid primary key,
    session_id     uuid not null references sessions,
    seq            bigint not null,               -- its place in the session
    user_id        uuid not null references users,
    source         text not null check (source in ('slack', 'web', 'cli', 'tool', 'generic')),
    content        text not null,
    context        jsonb not null default '{}',
    origin         jsonb,                         -- the address that it came from: {"channel": "slack", …}; null: polled
    thread         text,                          -- the thread it was asked in, such as `slack:T1:C1:1700000000.000100`
    delivery       jsonb,                         -- what the caller asked for: {"mode": …, "channels": […]}
    state          text not null default 'queued'
                   check (state in ('queued', 'running', 'requires_action', 'completed', 'failed', 'cancelled')),
    version        bigint not null default 1,     -- the ETag
    attempt        int not null default 0,        -- takeovers since the last journaled step
    step           int not null default 0,        -- the next step of the journal
    epoch          bigint not null default 0,     -- the fencing token: plus one for each claim
    lease_owner    text,
    lease_until    timestamptz,
    cancel_requested boolean not null default false,
    deadline       timestamptz not null,
    due_at         timestamptz,                   -- when something should have happened; null: nothing more will
    nudges         int not null default 0,
    agent_revision text,
    traceparent    text,
    result         jsonb,                         -- {"text", "citations", "agent"}
    error          jsonb,                         -- {"type", "title"}
    usage          jsonb,
    plan           jsonb,                         -- the delivery plan, skips and reasons included
    created_at     timestamptz not null default now(),
    started_at     timestamptz,
    finished_at    timestamptz,
    updated_at     timestamptz not null default now(),
    unique (session_id, seq),
    check ((state in ('completed', 'failed', 'cancelled')) = (due_at is null)),
    check ((state = 'completed') = (result is not null)),
    check ((state = 'running') = (lease_until is not null))
);
create unique index requests_one_turn on requests (session_id) where state in ('running', 'requires_action');
create index requests_due on requests (due_at) where due_at is not null;
create index requests_thread on requests (thread, seq desc) where thread is not null;
create index requests_user on requests (user_id, id desc);

create table messages (
    session_id uuid not null references sessions on delete cascade,
    seq        bigint not null,                   -- of the request
    role       text not null check (role in ('user', 'assistant')),
    content    text not null,
    agent      text,
    request_id uuid not null references requests on delete cascade,
    created_at timestamptz not null default now(),
    primary key (session_id, seq, role)
);

create table steps (
    request_id  uuid not null references requests on delete cascade,
    step        int not null,
    kind        text not null check (kind in ('model', 'tool', 'handover')),
    fingerprint text not null,                    -- of the decision: a step is reused only when it matches
    effect_key  uuid unique,
    state       text not null check (state in ('started', 'done')),
    epoch       bigint not null,
    output      jsonb,
    usage       jsonb,
    started_at  timestamptz not null default now(),
    finished_at timestamptz,
    primary key (request_id, step)
);

create table request_events (
    request_id uuid not null references requests on delete cascade,
    seq        int not null,
    type       text not null,
    data       jsonb not null default '{}',
    created_at timestamptz not null default now(),
    primary key (request_id, seq)
);

-- HTTP keys, Slack message identities and CloudEvent ids in one mechanism.
create table idempotency_keys (
    principal   text not null,
    route       text not null,
    key         text not null,
    fingerprint text not null,
    request_id  uuid not null references requests on delete cascade
                deferrable initially deferred,    -- the key is written first: two at once wait for each other
    created_at  timestamptz not null default now(),
    primary key (principal, route, key)
);
create index idempotency_keys_request on idempotency_keys (request_id);

create table deliveries (
    id           uuid primary key,                -- uuid5 of request, kind, channel and rank
    request_id   uuid not null references requests on delete cascade,
    session_id   uuid not null references sessions,
    user_id      uuid not null references users,
    kind         text not null default 'answer' check (kind in ('answer', 'failure')),
    channel      text not null check (channel in ('slack', 'email', 'sms', 'webhook', 'test')),
    rank         int not null,
    address      jsonb not null,
    address_key  text not null,                   -- one per place: order is kept per session and place
    state        text not null check (state in ('planned', 'queued', 'sending', 'delivered', 'failed', 'expired',
                                                'cancelled', 'unknown', 'parked')),
    attempt      int not null default 0,
    epoch        bigint not null default 0,
    lease_owner  text,
    lease_until  timestamptz,
    due_at       timestamptz,                     -- null: not yet due (planned), or nothing more will happen
    not_before   timestamptz,                     -- the vendor asked us to wait until then
    nudges       int not null default 0,
    patience     interval not null,               -- how long after it became due it may still be sent
    deadline     timestamptz,                     -- set when it becomes due
    also_by      text[] not null default '{}',    -- channels by which the same answer may have arrived already
    provider_id  text,
    reason       text,                            -- why it ended without success
    created_at   timestamptz not null default now(),
    finished_at  timestamptz,
    updated_at   timestamptz not null default now(),
    unique (request_id, kind, channel, rank),
    check ((state in ('queued', 'sending', 'parked')) = (due_at is not null)),
    check ((state = 'sending') = (lease_until is not null))
);
create index deliveries_due on deliveries (due_at) where due_at is not null;
create index deliveries_place on deliveries (session_id, address_key, created_at) where due_at is not null;
create index deliveries_user on deliveries (user_id, created_at desc);

create table delivery_attempts (
    delivery_id uuid not null references deliveries on delete cascade,
    epoch       bigint not null,
    started_at  timestamptz not null default now(),
    finished_at timestamptz,
    outcome     text check (outcome in ('delivered', 'wait', 'retry', 'unsure', 'failed', 'parked')),
    reason      text,                             -- our words
    code        text,                             -- the vendor's
    provider_id text,
    latency_ms  int,
    sent        jsonb,                            -- the test channel: everything that it would have sent
    primary key (delivery_id, epoch)
);

-- A user's own overrides only: defaults live in config/integrations.yaml and are never copied in. Null inherits.
create table user_integrations (
    id         uuid primary key,
    user_id    uuid not null references users on delete cascade,
    channel    text not null check (channel in ('slack', 'email', 'sms', 'webhook', 'test')),
    enabled    boolean,
    rank       int,
    config     jsonb not null default '{}',       -- addresses, never secrets
    version    bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (user_id, channel)
);

create table knowledge_documents (
    id         uuid primary key,
    base       text not null,
    slug       text not null,
    title      text not null,
    updated    text,
    digest     text not null,                     -- SHA-256 of the file: unchanged files are not loaded again
    groups     text[] not null default '{}',      -- who may read it; empty: everybody
    loaded_at  timestamptz not null default now(),
    unique (base, slug)
);

create table knowledge_chunks (
    document_id uuid not null references knowledge_documents on delete cascade,
    ordinal     int not null,
    heading     text not null,
    anchor      text not null,
    content     text not null,
    embedding   halfvec,                          -- null without an embedding model
    search      tsvector not null,
    primary key (document_id, ordinal)
);
create index knowledge_chunks_search on knowledge_chunks using gin (search);

create table dead_letters (
    id          uuid primary key,                 -- uuid5 of source, id and destination: the same letter once
    event       jsonb not null,                   -- whole
    source      text not null,
    event_id    text not null,
    type        text not null,
    subject     text,
    destination text not null,                    -- who could not take it
    code        int,                              -- the last HTTP status
    reason      text,
    stored_at   timestamptz not null default now(),
    replayed_at timestamptz,
    closed_at   timestamptz
);
create index dead_letters_stored on dead_letters (stored_at desc);

create table api_keys (
    id           uuid primary key,
    prefix       text not null unique,            -- shown in lists, finds the row
    digest       bytea not null,                  -- SHA-256 of the whole key
    user_id      uuid not null references users on delete cascade,
    role         text not null check (role in ('user', 'support', 'admin', 'service')),
    name         text not null,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    created_at   timestamptz not null default now()
);

create table slack_installations (
    workspace    text primary key,
    enterprise   text,
    bot_user     text,
    bot_token    bytea not null,                  -- encrypted
    scopes       text[] not null default '{}',
    installed_by uuid references users,
    installed_at timestamptz not null default now(),
    updated_at   timestamptz not null default now()
);

create table audit_log (
    id         bigint generated always as identity primary key,
    actor      text not null,
    action     text not null,
    object     text not null,
    detail     jsonb not null default '{}',
    created_at timestamptz not null default now()
);

create table heartbeats (
    name    text primary key,
    beat_at timestamptz not null default now()
);

-- The local broker's promise for `message.received`, which has no row behind it yet.
create table spool (
    source    text not null,
    id        text not null,
    event     jsonb not null,
    stored_at timestamptz not null default now(),
    primary key (source, id)
);
