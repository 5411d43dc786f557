-- Who signs in on the page gets a key that lives for hours and stands in a cookie: it is found, expires, is revoked and
-- erased as every key. A link signs in once. Everything here is added: older code runs on.

alter table api_keys
    add column kind   text not null default 'key' check (kind in ('key', 'session', 'link')),
    add column parent uuid references api_keys on delete cascade;   -- the key that signed in: it ends with it
create index api_keys_parent on api_keys (parent) where parent is not null;
