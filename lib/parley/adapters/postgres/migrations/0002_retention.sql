-- What is kept has an end, and a dead letter can be sent again. Everything here is added: older code runs on.

alter table dead_letters
    add column body          bytea,               -- the data as it came, to the byte: jsonb writes JSON in its own way
    add column about         uuid,                -- the request or delivery that the event is a nudge for
    add column closed_reason text;                -- why there is nothing to replay any more

update dead_letters l
   set about = case when named.id ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then named.id::uuid end
  from (select id as letter,
               case type when 'parley.request.created' then event->'data'->>'request_id'
                         when 'parley.response.ready' then event->'data'->>'delivery_id' end as id
          from dead_letters) as named
 where named.letter = l.id and named.id is not null;

create index dead_letters_open on dead_letters (about) where closed_at is null and replayed_at is null;

-- What is old enough.
create index requests_finished on requests (finished_at) where due_at is null;
create index idempotency_keys_created on idempotency_keys (created_at);
create index sessions_expires on sessions (expires_at);
create index audit_log_created on audit_log (created_at);

-- What is open in a session: the history that it needs stays.
create index requests_open on requests (session_id, seq) where due_at is not null;

-- A row that goes takes those with it that refer to it: each reference has an index, or whole tables would be read.
create index messages_request on messages (request_id);
create index deliveries_session on deliveries (session_id);
create index api_keys_user on api_keys (user_id);
create index slack_installations_installed_by on slack_installations (installed_by);
