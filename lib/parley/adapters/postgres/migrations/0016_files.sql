-- Files that come with a message are read as steps of its turn; a thread is given its title once. Everything here is
-- added: older code runs on.

alter table requests
    add column files  jsonb not null default '[]',      -- [{"id", "name", "media_type", "size"}]: named by the chat
    add column titled boolean not null default false;   -- its thread got its title from this request

alter table sessions add column forgot_seq bigint not null default 0;  -- the last "start over": files before it are gone

alter table steps drop constraint steps_kind_check,
    add constraint steps_kind_check check (kind in ('model', 'tool', 'handover', 'approval', 'summary', 'file'));
create index steps_files on steps (request_id, step) where kind = 'file';  -- what later turns of the session see again
