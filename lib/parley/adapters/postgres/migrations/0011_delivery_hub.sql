-- Channels need no migration any more; deliveries say how they end, wait and are tried again; and trouble that several of
-- them share is kept once. Everything here is added or allowed: older code runs on.

alter table user_integrations
    drop constraint user_integrations_channel_check,
    add constraint user_integrations_channel_check check (channel ~ '^[a-z][a-z0-9-]{0,31}$'),
    add column level text check (level in ('accepted', 'delivered', 'seen')),   -- what counts as success; null inherits
    add column patience_seconds int check (patience_seconds > 0);               -- null inherits

alter table users
    add column quiet_from  time,                  -- in their own time zone; null: what holds for everybody
    add column quiet_until time,                  -- the same as quiet_from: never
    add check ((quiet_from is null) = (quiet_until is null));

alter table deliveries
    drop constraint deliveries_channel_check,
    add constraint deliveries_channel_check check (channel ~ '^[a-z][a-z0-9-]{0,31}$'),
    drop constraint deliveries_kind_check,
    add constraint deliveries_kind_check check (kind in ('answer', 'failure', 'approval', 'escalation', 'notice')),
    drop constraint deliveries_state_check,
    add constraint deliveries_state_check check (state in (
        'planned', 'queued', 'sending', 'deferred', 'parked', 'accepted', 'delivered', 'seen', 'failed', 'skipped',
        'expired', 'cancelled', 'undeliverable', 'unknown')),
    drop constraint deliveries_check,             -- which states are open: one of them may be either
    add constraint deliveries_open check (case
        when state in ('queued', 'sending', 'deferred', 'parked') then due_at is not null
        when state = 'accepted' then true         -- open while more is awaited
        else due_at is null end),
    add column mode     text not null default 'first',   -- `all`: other ranks neither wait for it nor end with it
    add column level    text not null default 'accepted' check (level in ('accepted', 'delivered', 'seen')),
    add column confirm  interval not null default '10 minutes',   -- how long that is awaited
    add column pauses   float8[] not null default '{5,10,20,60,120,300,600,900}',   -- seconds between attempts that come to nothing
    add column failures int not null default 0,          -- such attempts in a row
    add column quiet    jsonb,                           -- the hours in which it waits; null: it never does
    add column locked   boolean not null default false,  -- the user cannot turn it off
    add column circuit  text not null default '',        -- what it depends on, such as slack:T1
    add column notice   text;                            -- what a notice says
create index deliveries_circuit on deliveries (circuit) where state = 'parked';
create index deliveries_provider on deliveries (channel, provider_id) where provider_id is not null;
update deliveries
   set circuit = case channel when 'slack' then 'slack:' || (address->>'workspace')
                              when 'webhook' then 'webhook:' || (address->>'integration') else channel end
 where due_at is not null or state = 'planned';

-- What a receiver of our posts has agreed to. Never a setting: those are the user's own.
create table endpoints (
    integration_id  uuid primary key references user_integrations on delete cascade,
    generation      int not null default 1,       -- of its secret
    overlap_until   timestamptz,                  -- until then the secret before it signs, too
    consented_at    timestamptz,                  -- when it last said that it wants our posts
    allowed_rate    float8,                       -- posts in a minute; null: any number
    next_at         timestamptz,                  -- not before, by that rate
    disabled_at     timestamptz,
    disabled_reason text,
    updated_at      timestamptz not null default now()
);

-- Trouble: the credentials of a channel or workspace, or one receiver. No row: all is well.
create table circuits (
    name          text primary key,
    failing_since timestamptz not null,
    failures      int not null,
    trips         int not null,
    opened_at     timestamptz,
    until         timestamptz,                    -- open; one delivery after then tries whether it is cured
    reason        text,
    code          text
);

-- Behind the API's wall: what is known of a receiver belongs to whom its setting belongs; trouble is for staff.
alter table endpoints enable row level security;
create policy own on endpoints to parley_api
    using (exists (select from user_integrations i where i.id = endpoints.integration_id));
alter table circuits enable row level security;
