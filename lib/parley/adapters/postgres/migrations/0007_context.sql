-- What a session remembers beside its messages, and what was spent. Everything here is added: older code runs on.

alter table sessions
    add column summary     text not null default '',          -- of what was said up to summary_seq
    add column summary_seq bigint not null default 0,         -- what was said up to here is told no more, but summed up
    add column tainted     boolean not null default false;    -- text of strangers was read: changes need a person

alter table requests
    add column reserved bigint not null default 0;            -- tokens, while its turn asks a model
create index requests_reserved on requests (user_id) where reserved > 0;

create table token_usage (
    user_id       uuid not null references users on delete cascade,
    day           date not null,                              -- of UTC
    input_tokens  bigint not null default 0,
    output_tokens bigint not null default 0,
    cost          numeric(18, 6) not null default 0,          -- in the currency of the prices
    primary key (user_id, day)
);
