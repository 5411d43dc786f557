-- Budgets in money: what a turn has reserved while it asks a model. Everything here is added: older code runs on.

alter table requests
    add column reserved_micros bigint not null default 0;     -- of the currency of the prices
