-- Who is staff by a claim of the company account alone is known to be, so that no service acts for them. Added: older
-- code runs on, and writes none.

alter table user_identities add column role text;

comment on column user_identities.role is 'kind api: support or admin: what the last token named';
