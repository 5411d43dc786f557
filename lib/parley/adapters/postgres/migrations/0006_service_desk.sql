-- The example's own tables (functions/mcp-service-desk). No other function reads or writes them; drop them with it.

create table desk_employees (
    email   text primary key check (email = lower(email)),
    name    text not null,
    region  text not null check (region in ('Americas', 'EMEA', 'APAC')),
    country text not null,
    role    text not null
);

create table desk_laptops (
    asset   text primary key check (asset ~ '^AF[0-9]{6}$'),
    email   text not null references desk_employees on delete cascade,
    model   text not null,
    shipped date not null
);
create index desk_laptops_email on desk_laptops (email);

create table desk_tickets (
    number     bigint generated always as identity (start with 100001) primary key,
    email      text not null references desk_employees on delete cascade,
    kind       text not null check (kind in ('laptop_refresh', 'incident', 'request')),
    asset      text references desk_laptops on delete set null,
    model      text,
    summary    text not null,
    state      text not null default 'open' check (state in ('open', 'cancelled', 'closed')),
    effect_key uuid not null unique,              -- of the call that opened it: the same call again finds it
    opened_by  text not null,                     -- the agent that acted for the employee
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index desk_tickets_email on desk_tickets (email, number desc);
-- One open refresh for a laptop, whoever asks, and however often.
create unique index desk_tickets_refresh on desk_tickets (asset) where kind = 'laptop_refresh' and state = 'open';

create index desk_tickets_asset on desk_tickets (asset) where asset is not null;

-- What a cancelling call did, so that the same call again says the same.
create table desk_effects (
    effect_key uuid primary key,
    number     bigint not null references desk_tickets on delete cascade,
    outcome    text not null,
    created_at timestamptz not null default now()
);
create index desk_effects_number on desk_effects (number);
