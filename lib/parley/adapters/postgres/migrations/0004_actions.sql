-- Actions that wait for a person's decision, a progress log that is counted, and questions that share one answer.

create table actions (
    id          uuid primary key,
    request_id  uuid not null references requests on delete cascade,
    step        int not null,                     -- of the journal: the decision becomes this step
    fingerprint text not null,                    -- of the decision to ask
    tool        text not null,
    arguments   jsonb not null,                   -- as they are shown
    digest      text not null,                    -- SHA-256 of tool and arguments: who decides says what was seen
    risk        text not null,
    summary     text not null,
    state       text not null default 'open' check (state in ('open', 'approved', 'denied', 'expired', 'superseded')),
    decided_by  uuid references users on delete set null,
    decided_at  timestamptz,
    expires_at  timestamptz not null,
    created_at  timestamptz not null default now(),
    check ((state = 'open') = (decided_at is null))
);
create unique index actions_open on actions (request_id) where state = 'open';
create index actions_request on actions (request_id);
create index actions_decided_by on actions (decided_by) where decided_by is not null;

alter table requests
    add column events int not null default 0,     -- how many request_events there are: the next one has no gap before it
    add column on_busy text not null default 'enqueue' check (on_busy in ('enqueue', 'coalesce')),
    add column answered_by uuid references requests on delete set null;   -- the request that this one is answered with
update requests r set events = e.last
  from (select request_id, max(seq) as last from request_events group by request_id) e where e.request_id = r.id;
create index requests_answered_by on requests (answered_by) where answered_by is not null;

alter table steps drop constraint steps_kind_check,
    add constraint steps_kind_check check (kind in ('model', 'tool', 'handover', 'approval', 'summary'));

-- A request may ask for several decisions, one after the other, each on the same channels. agent-turn and recover of
-- before end no request until they are replaced: what they try is given back and done again.
alter table deliveries
    add column action_id uuid references actions on delete cascade,
    drop constraint deliveries_kind_check,
    add constraint deliveries_kind_check check (kind in ('answer', 'failure', 'approval', 'escalation')),
    add check ((kind = 'approval') = (action_id is not null)),
    drop constraint deliveries_request_id_kind_channel_rank_key,
    add constraint deliveries_once unique nulls not distinct (request_id, kind, action_id, channel, rank);
create index deliveries_action on deliveries (action_id) where action_id is not null;
