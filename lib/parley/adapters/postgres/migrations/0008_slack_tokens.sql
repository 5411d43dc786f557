-- Tokens that expire (Slack's token rotation): both are sealed; one process at a time asks for new ones.

alter table slack_installations
    add column refresh_token bytea,
    add column expires_at    timestamptz,           -- null: the token lives for ever
    add column refresh_until timestamptz;           -- somebody is asking for a new token until then
