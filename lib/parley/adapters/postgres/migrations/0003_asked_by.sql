-- Who asked for somebody else may follow the links that it was given. Everything here is added: older code runs on.

alter table requests
    add column asked_by uuid references users on delete set null;   -- null: the user asked in person

create index requests_asked_by on requests (asked_by) where asked_by is not null;
