-- The messages in Slack that make up one answer, so that any instance goes on where another one stopped. Part 0 may begin
-- as a stream, before there is a delivery.
create table slack_messages (
    request_id   uuid not null references requests on delete cascade,
    kind         text not null,                   -- of the delivery: answer, failure, approval, escalation
    part         int not null,
    conversation text not null,
    ts           text,                            -- null while it is being started
    state        text not null check (state in ('starting', 'streaming', 'posted')),
    seq          int not null default 0,          -- of request_events: what the stream has shown
    lease_until  timestamptz,                     -- of the instance that streams
    created_at   timestamptz not null default now(),
    primary key (request_id, kind, part)
);

-- When the next message may go to a place that takes only so many: shared by all instances.
create table paces (
    key     text primary key,
    next_at timestamptz not null
);

-- Where nothing is sent any more: it bounced for good, or somebody complained or opted out.
create table suppressions (
    kind       text not null check (kind in ('email', 'sms')),
    address    text not null,                     -- in lower case
    reason     text not null check (reason in ('bounce', 'complaint', 'opt_out', 'refused')),
    detail     text,
    created_at timestamptz not null default now(),
    primary key (kind, address)
);
