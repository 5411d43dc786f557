-- What the HTTP API keeps of its own, and the second wall: row-level security for the role that it takes while it
-- answers somebody. Everything here is added: older code runs on, since the owner of the tables is not bound by policies.

alter table api_keys
    add column scopes text[];                     -- null: everything that the role may

alter table sessions
    add column title    text,
    add column metadata jsonb not null default '{}',
    add column version  bigint not null default 1;   -- of what its user may change: the ETag
create index sessions_user on sessions (user_id, updated_at desc, id desc);

alter table requests
    add column erased_at timestamptz;             -- its content was erased; the row stays for the books

-- What somebody thinks of an answer; the last word counts.
create table request_feedback (
    request_id uuid not null references requests on delete cascade,
    user_id    uuid not null references users on delete cascade,
    rating     text not null check (rating in ('up', 'down')),
    reason     text,
    comment    text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (request_id, user_id)
);
create index request_feedback_user on request_feedback (user_id);

-- Questions handed over to people.
create table escalations (
    id         uuid primary key,
    request_id uuid not null unique references requests on delete cascade,
    session_id uuid not null references sessions on delete cascade,
    user_id    uuid not null references users on delete cascade,
    reason     text,
    state      text not null default 'open' check (state in ('open', 'closed')),
    closed_by  uuid references users on delete set null,
    created_at timestamptz not null default now(),
    closed_at  timestamptz
);
create index escalations_open on escalations (created_at, id) where state = 'open';
create index escalations_session on escalations (session_id);
create index escalations_user on escalations (user_id);
create index escalations_closed_by on escalations (closed_by);

-- A token bucket for each caller. What a crash of the server empties are only buckets.
create unlogged table rate_limits (
    principal text primary key,
    tokens    float8 not null,
    allowed   boolean not null,                   -- whether the last call was
    taken_at  timestamptz not null
);
create index rate_limits_taken on rate_limits (taken_at);

-- Roles belong to the server and not to one database: two migrations at once may both try.
do $$ begin
    create role parley_api nologin;
exception when duplicate_object or unique_violation then null;
end $$;
do $$ begin
    if not (case when current_setting('server_version_num')::int < 160000
                then pg_has_role(current_user, 'parley_api', 'member')
                else pg_has_role(current_user, 'parley_api', 'set') end) then
        execute format('grant parley_api to %I', current_user);
    end if;
end $$;

grant usage on schema public to parley_api;
grant select, insert, update, delete on all tables in schema public to parley_api;
grant usage on all sequences in schema public to parley_api;
revoke insert, update, delete on schema_migrations from parley_api;
alter default privileges in schema public grant select, insert, update, delete on tables to parley_api;
alter default privileges in schema public grant usage on sequences to parley_api;

-- Whose rows are seen; nobody's when nobody was named.
create function parley_people() returns uuid[] language sql stable parallel safe
    return coalesce(nullif(current_setting('parley.people', true), ''), '{}')::uuid[];

alter table users enable row level security;
create policy own on users to parley_api using (id = any(parley_people()));

alter table user_identities enable row level security;
create policy own on user_identities to parley_api using (user_id = any(parley_people()));

alter table sessions enable row level security;
create policy own on sessions to parley_api using (user_id = any(parley_people()));

alter table requests enable row level security;
create policy own on requests to parley_api
    using (user_id = any(parley_people()) or asked_by = any(parley_people()));

alter table deliveries enable row level security;
create policy own on deliveries to parley_api using (user_id = any(parley_people()));

alter table user_integrations enable row level security;
create policy own on user_integrations to parley_api using (user_id = any(parley_people()));

alter table api_keys enable row level security;
create policy own on api_keys to parley_api using (user_id = any(parley_people()));

alter table request_feedback enable row level security;
create policy own on request_feedback to parley_api using (user_id = any(parley_people()));

alter table escalations enable row level security;
create policy own on escalations to parley_api using (user_id = any(parley_people()));

alter table actions enable row level security;
create policy own on actions to parley_api using (exists (select from requests r where r.id = actions.request_id));

-- What belongs to a row belongs to whom that row belongs: the policies of the inner table hold inside these, too.
alter table messages enable row level security;
create policy own on messages to parley_api using (exists (select from requests r where r.id = messages.request_id));

alter table steps enable row level security;
create policy own on steps to parley_api using (exists (select from requests r where r.id = steps.request_id));

-- The first event is written in the statement that writes its request, which no subquery sees: only reading is bound.
alter table request_events enable row level security;
create policy own on request_events to parley_api
    using (exists (select from requests r where r.id = request_events.request_id)) with check (true);

alter table delivery_attempts enable row level security;
create policy own on delivery_attempts to parley_api
    using (exists (select from deliveries d where d.id = delivery_attempts.delivery_id));

-- Nobody's own: staff reads these without the wall, and nobody else at all.
alter table dead_letters enable row level security;
alter table slack_installations enable row level security;
alter table spool enable row level security;
alter table audit_log enable row level security;
create policy written on audit_log for insert to parley_api with check (true);
