-- An Idempotency-Key is taken for whatever makes something, not for questions alone; keys tell which key made them.
-- Everything here is added or allowed: older code runs on.

alter table idempotency_keys
    alter column request_id drop not null,
    add column made text;                         -- what the first call made, when that was no request

alter table api_keys
    add column made_by uuid references api_keys on delete set null;   -- it lives on without it
create index api_keys_made_by on api_keys (made_by) where made_by is not null;

create index paces_next on paces (next_at);
