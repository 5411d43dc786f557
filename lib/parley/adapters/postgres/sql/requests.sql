-- name: take_key
-- Written first, in the request's own transaction: of two at once the second waits here, then finds the key taken.
insert into idempotency_keys (principal, route, key, fingerprint, request_id)
values (%(principal)s, %(route)s, %(key)s, %(fingerprint)s, %(request_id)s)
on conflict (principal, route, key) do nothing

-- name: key_taken
select fingerprint, made from idempotency_keys
 where principal = %(principal)s and route = %(route)s and key = %(key)s

-- name: key_made
update idempotency_keys set made = %(made)s
 where principal = %(principal)s and route = %(route)s and key = %(key)s

-- name: key_owner
select k.fingerprint, r.id, r.session_id, r.state
  from idempotency_keys k join requests r on r.id = k.request_id
 where k.principal = %(principal)s and k.route = %(route)s and k.key = %(key)s

-- name: lock_user
-- Two first messages of one person at once must find one session. "no key": rows that refer to the user go on.
select id from users where id = %(user_id)s for no key update

-- name: session_given
-- Locked here already, as next_place does: of two at once, the second one sees the request of the first.
select id from sessions where id = %(id)s and user_id = %(user_id)s and status = 'open' for no key update

-- name: open_in_session
select id from requests where session_id = %(session_id)s and due_at is not null limit 1

-- name: session_of_thread
select r.session_id as id
  from requests r join sessions s on s.id = r.session_id
 where r.thread = %(thread)s and r.user_id = %(user_id)s and s.status = 'open'
 order by r.seq desc limit 1

-- name: session_recent
select id from sessions
 where user_id = %(user_id)s and conversation = %(conversation)s and status = 'open' and expires_at > now()
 order by updated_at desc limit 1

-- name: insert_session
insert into sessions (id, user_id, conversation, expires_at)
values (%(id)s, %(user_id)s, %(conversation)s, now() + make_interval(secs => %(idle)s))

-- name: next_place
-- The order in a session is the order of this short row lock.
update sessions
   set next_seq = next_seq + 1, updated_at = now(), expires_at = now() + make_interval(secs => %(idle)s)
 where id = %(session_id)s
returning next_seq - 1 as seq

-- name: insert_request
with stored as (
    insert into requests (id, session_id, seq, user_id, source, content, context, origin, thread, delivery, traceparent,
                          asked_by, on_busy, files, deadline, due_at, events)
    values (%(id)s, %(session_id)s, %(seq)s, %(user_id)s, %(source)s, %(content)s, %(context)s, %(origin)s, %(thread)s,
            %(delivery)s, %(traceparent)s, %(asked_by)s, %(on_busy)s, %(files)s,
            clock_timestamp() + make_interval(secs => %(deadline)s),
            clock_timestamp() + make_interval(secs => %(nudge)s), 1)
    returning id
)
insert into request_events (request_id, seq, type, data, created_at)
select id, 1, 'status', jsonb_build_object('status', 'queued'), clock_timestamp() from stored

-- name: accept_apart
-- A request with its key, in a session that begins with it; no row when the key is taken.
with took as (
    insert into idempotency_keys (principal, route, key, fingerprint, request_id)
    select %(principal)s, %(route)s, %(key)s, %(fingerprint)s, %(id)s where %(key)s::text is not null
    on conflict (principal, route, key) do nothing
    returning key
), begun as (
    insert into sessions (id, user_id, conversation, next_seq, expires_at)
    select %(session_id)s, %(user_id)s, %(conversation)s, 2, now() + make_interval(secs => %(idle)s)
     where %(key)s::text is null or exists (select from took)
    returning id
), stored as (
    insert into requests (id, session_id, seq, user_id, source, content, context, origin, thread, delivery, traceparent,
                          asked_by, on_busy, files, deadline, due_at, events)
    select %(id)s, id, 1, %(user_id)s, %(source)s, %(content)s, %(context)s, %(origin)s, %(thread)s, %(delivery)s,
           %(traceparent)s, %(asked_by)s, %(on_busy)s, %(files)s, clock_timestamp() + make_interval(secs => %(deadline)s),
           clock_timestamp() + make_interval(secs => %(nudge)s), 1
      from begun
    returning id, session_id
), told as (
    insert into request_events (request_id, seq, type, data, created_at)
    select id, 1, 'status', jsonb_build_object('status', 'queued'), clock_timestamp() from stored
)
select session_id from stored

-- name: lock_session_of
-- The lock order everywhere: the session first, then its requests by number.
select s.id, s.agent from sessions s
 where s.id = (select session_id from requests where id = %(id)s)
   for update

-- name: standing
-- Everything that the decision to take a turn is made from.
select r.*, s.agent as session_agent, s.summary, s.summary_seq, s.tainted, clock_timestamp() as at,
       greatest(r.created_at, (select max(a.decided_at) from actions a where a.request_id = r.id)) as acted_at,
       clock_timestamp() > r.deadline as past_deadline,
       (select jsonb_agg(f.output order by f.seq, f.step)
          from (select e.seq, t.step, t.output from requests e join steps t on t.request_id = e.id and t.kind = 'file'
                 where e.session_id = r.session_id and e.seq < r.seq and e.seq > s.forgot_seq
                 order by e.seq desc, t.step limit 10) f) as known,
       coalesce(r.lease_until > clock_timestamp(), false) as leased,
       exists (select from requests e
                where e.session_id = r.session_id and e.seq < r.seq and e.due_at is not null
                  and e.answered_by is distinct from r.id) as behind,
       r.state = 'requires_action' and not r.cancel_requested and exists (
           select from actions a where a.request_id = r.id and a.state = 'open' and a.expires_at > clock_timestamp()
       ) as waiting
  from requests r join sessions s on s.id = r.session_id
 where r.id = %(id)s
   for update of r

-- name: fix_set
-- What waits in one row after this request and may be answered together with it: its last one answers for all, and the
-- others point to it. Once fixed, a set stays as it is: what comes later is another turn.
with waiting as (
    select id, seq, source, delivery, origin - 'thread' as place,
           on_busy = 'coalesce' and state = 'queued' and epoch = 0 and answered_by is null and not cancel_requested
           as may
      from requests where session_id = %(session_id)s and seq >= %(seq)s and due_at is not null
), fitting as (
    select w.id, w.seq, bool_and(w.may and (w.source, w.delivery, w.place)
                                 is not distinct from (f.source, f.delivery, f.place)) over (order by w.seq) as fits
      from waiting w join waiting f on f.seq = %(seq)s
), answering as (
    select id from fitting where fits order by seq desc limit 1
)
update requests r
   set answered_by = a.id, due_at = r.deadline, version = version + 1, updated_at = clock_timestamp()
  from answering a
 where r.id in (select id from fitting where fits) and r.id <> a.id
returning a.id as answered_by

-- name: asked_together
select content, files from requests where answered_by = %(id)s order by seq

-- name: end_set
-- The others of a set end with the one that answers for them; `said`: what they asked stays in the conversation.
with ended as (
    update requests
       set state = %(state)s, result = %(result)s, error = %(error)s, due_at = null, events = events + 1,
           version = version + 1, finished_at = clock_timestamp(), updated_at = clock_timestamp()
     where answered_by = %(id)s and due_at is not null
    returning id, session_id, seq, content, events
), said as (
    insert into messages (session_id, seq, role, content, request_id)
    select session_id, seq, 'user', content, id from ended where %(said)s
)
insert into request_events (request_id, seq, type, data, created_at)
select id, events, %(state)s, %(told)s, clock_timestamp() from ended

-- name: take_turn
-- Who takes over tells nobody: it went on running.
with taken as (
update requests
   set state = 'running', events = events + 1 - %(takeover)s, epoch = epoch + 1, lease_owner = %(owner)s,
       lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
       due_at = clock_timestamp() + make_interval(secs => %(lease)s),
       attempt = attempt + %(takeover)s,
       agent_revision = coalesce(agent_revision, %(revision)s),
       started_at = coalesce(started_at, clock_timestamp()), taken_in = %(trace)s,
       version = version + 1, updated_at = clock_timestamp()
 where id = %(id)s
returning id, epoch, step, agent_revision, version, events
), told as (
    insert into request_events (request_id, seq, type, data, created_at)
    select id, events, 'status', jsonb_build_object('status', 'running'), clock_timestamp() from taken where %(takeover)s = 0
)
select epoch, step, agent_revision, version from taken

-- name: history
select role, content, agent, seq from messages
 where session_id = %(session_id)s and seq < %(seq)s and seq > %(after)s
 order by seq desc, role limit %(limit)s

-- name: journaled
select step, kind, fingerprint, output, effect_key, state = 'started' as started from steps
 where request_id = %(id)s order by step

-- name: journal_step
-- Fenced by epoch and step number: a late zombie, or one that lost its commit, touches no row.
with fenced as (
    update requests
       set step = step + 1, attempt = 0, nudges = 0, reserved = 0, reserved_micros = 0,
           lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
           due_at = clock_timestamp() + make_interval(secs => %(lease)s),
           updated_at = clock_timestamp()
     where id = %(id)s and epoch = %(epoch)s and step = %(step)s and state = 'running'
    returning id, user_id, cancel_requested
), spent as (
    insert into token_usage as u (user_id, day, input_tokens, output_tokens, cost)
    select user_id, (clock_timestamp() at time zone 'utc')::date, (%(usage)s::jsonb->>'input_tokens')::bigint,
           (%(usage)s::jsonb->>'output_tokens')::bigint, (%(usage)s::jsonb->>'cost')::numeric
      from fenced where %(usage)s::jsonb is not null
    on conflict (user_id, day) do update
       set input_tokens = u.input_tokens + excluded.input_tokens,
           output_tokens = u.output_tokens + excluded.output_tokens, cost = u.cost + excluded.cost
), written as (
    insert into steps as s (request_id, step, kind, fingerprint, state, epoch, output, usage, finished_at)
    select id, %(step)s, %(kind)s, %(fingerprint)s, 'done', %(epoch)s, %(output)s, %(usage)s, clock_timestamp()
      from fenced
    on conflict (request_id, step) do update
       set kind = excluded.kind, fingerprint = excluded.fingerprint, state = 'done', epoch = excluded.epoch,
           output = excluded.output, usage = excluded.usage, finished_at = excluded.finished_at
)
select cancel_requested from fenced

-- name: intend_step
-- Written before a tool is called: after a crash it is known that it may have been. Fenced like the step itself.
with fenced as (
    update requests
       set lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
           due_at = clock_timestamp() + make_interval(secs => %(lease)s),
           updated_at = clock_timestamp()
     where id = %(id)s and epoch = %(epoch)s and step = %(step)s and state = 'running'
    returning id, cancel_requested
), written as (
    insert into steps (request_id, step, kind, fingerprint, effect_key, state, epoch)
    select id, %(step)s::int + %(ahead)s, %(kind)s, %(fingerprint)s, %(effect_key)s, 'started', %(epoch)s from fenced
     where not cancel_requested
    on conflict (request_id, step) do update
       set kind = excluded.kind, fingerprint = excluded.fingerprint, effect_key = excluded.effect_key,
           epoch = excluded.epoch, started_at = clock_timestamp()
)
select cancel_requested from fenced

-- name: renew_turn
-- The heartbeat.
update requests
   set lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
       due_at = clock_timestamp() + make_interval(secs => %(lease)s)
 where id = %(id)s and epoch = %(epoch)s and state = 'running'
returning cancel_requested

-- name: ask_cancel
-- A turn that runs is told, and ends itself at its next step; what waits ends at once.
update requests
   set cancel_requested = true, version = version + 1, updated_at = clock_timestamp()
 where id = %(id)s and user_id = %(user_id)s and state = 'running'
returning id

-- name: cancel_waiting
update requests
   set state = 'cancelled', cancel_requested = true, error = %(error)s, due_at = null, version = version + 1,
       finished_at = clock_timestamp(), updated_at = clock_timestamp()
 where id = %(id)s and user_id = %(user_id)s and state in ('queued', 'requires_action')
returning id, session_id

-- name: complete_request
-- Fenced. What was not told yet, the last event, the messages and what the session knows from now on come with it; after
-- "start over" it knows nothing.
with ended as (
update requests
   set state = 'completed', result = %(result)s, plan = %(plan)s, due_at = null,
       events = events + jsonb_array_length(%(untold)s::jsonb) + 1,
       usage = (select jsonb_build_object('input_tokens', coalesce(sum((usage->>'input_tokens')::bigint), 0),
                                          'output_tokens', coalesce(sum((usage->>'output_tokens')::bigint), 0),
                                          'cost', coalesce(sum((usage->>'cost')::numeric), 0))
                  from steps where request_id = %(id)s and usage is not null),
       lease_owner = null, lease_until = null, version = version + 1,
       finished_at = clock_timestamp(), updated_at = clock_timestamp()
 where id = %(id)s and epoch = %(epoch)s and state = 'running' and not cancel_requested
returning id, session_id, user_id, seq, content, traceparent, usage, on_busy, events
), told as (
    insert into request_events (request_id, seq, type, data, created_at)
    select e.id, e.events - jsonb_array_length(%(untold)s::jsonb) - 1 + t.place, t.one->>'type', t.one->'data', clock_timestamp()
      from ended e, jsonb_array_elements(%(untold)s::jsonb) with ordinality as t (one, place)
    union all
    select id, events, 'completed', jsonb_build_object('result', %(result)s::jsonb), clock_timestamp() from ended
), said as (
    insert into messages (session_id, seq, role, content, agent, request_id)
    select e.session_id, e.seq, said.role, said.content, said.agent, e.id
      from ended e, lateral (values ('user', e.content, null), ('assistant', %(answer)s, %(agent)s))
                         as said (role, content, agent)
), remembered as (
    update sessions s
       set agent = %(agent)s, tainted = %(tainted)s and not %(forgets)s,
           summary = case when %(forgets)s then '' else %(summary)s end,
           summary_seq = case when %(forgets)s then e.seq else %(summary_seq)s end,
           forgot_seq = case when %(forgets)s then e.seq else s.forgot_seq end,
           input_tokens = s.input_tokens + coalesce((e.usage->>'input_tokens')::bigint, 0),
           output_tokens = s.output_tokens + coalesce((e.usage->>'output_tokens')::bigint, 0),
           updated_at = clock_timestamp()
      from ended e where s.id = e.session_id
)
select * from ended

-- name: still_ours
select id from requests where id = %(id)s and epoch = %(epoch)s and state = 'running'

-- name: end_request
-- Failed or cancelled, by whoever holds the turn.
update requests
   set state = %(state)s, error = %(error)s, plan = %(plan)s, due_at = null,
       lease_owner = null, lease_until = null, version = version + 1,
       finished_at = clock_timestamp(), updated_at = clock_timestamp()
 where id = %(id)s and epoch = %(epoch)s and state = 'running'
returning id, session_id, user_id, seq, content, traceparent, on_busy

-- name: expire_request
-- Failed, or cancelled as the user wished, by recover: nobody holds the turn, and its own function was not heard.
update requests
   set state = %(state)s, error = %(error)s, plan = %(plan)s, due_at = null, epoch = epoch + 1,
       lease_owner = null, lease_until = null, version = version + 1,
       finished_at = clock_timestamp(), updated_at = clock_timestamp()
 where id = %(id)s
returning id, session_id, user_id, seq, content, traceparent, on_busy

-- name: release_turn
-- The pause doubles with each nudge since the last step: what fails time and again is tried less and less often.
update requests
   set state = 'queued', lease_owner = null, lease_until = null, attempt = attempt + %(failed)s,
       due_at = least(clock_timestamp() + make_interval(secs => %(pause)s * 2 ^ least(nudges, 9)),
                      case when deadline > clock_timestamp() then deadline end),
       version = version + 1, updated_at = clock_timestamp()
 where id = %(id)s and epoch = %(epoch)s and state = 'running'

-- name: spent
-- Of one user and day (UTC): what was spent, and what other turns that live have reserved.
select coalesce(d.tokens, 0) + coalesce(r.tokens, 0) as tokens,
       coalesce(d.micros, 0) + coalesce(r.micros, 0) as micros,
       (date_trunc('day', clock_timestamp() at time zone 'utc') + interval '1 day') at time zone 'utc' as resets
  from (select sum(reserved) as tokens, sum(reserved_micros) as micros from requests
         where user_id = %(user_id)s and reserved > 0 and id is distinct from %(but)s and state = 'running'
           and lease_until > clock_timestamp()) r
  left join (select input_tokens + output_tokens as tokens, (cost * 1000000)::bigint as micros from token_usage
              where user_id = %(user_id)s and day = (clock_timestamp() at time zone 'utc')::date) d on true

-- name: reserve
update requests set reserved = %(tokens)s, reserved_micros = %(micros)s
 where id = %(id)s and epoch = %(epoch)s and state = 'running'

-- name: tell
-- The progress log, written by whoever holds the turn. The counter of the row is taken under its lock: no gaps, no twins.
with fenced as (
    update requests set events = events + jsonb_array_length(%(told)s)
     where id = %(id)s and epoch = %(epoch)s and state = 'running'
    returning id, events - jsonb_array_length(%(told)s) as before, events, cancel_requested
), written as (
    insert into request_events (request_id, seq, type, data, created_at)
    select f.id, f.before + t.place, t.one->>'type', t.one->'data', clock_timestamp()
      from fenced f, jsonb_array_elements(%(told)s) with ordinality as t (one, place)
)
select events, cancel_requested from fenced

-- name: tell_end
-- The last event of a request, in the transaction that ends it.
with counted as (
    update requests set events = events + 1 where id = %(id)s returning id, events
)
insert into request_events (request_id, seq, type, data, created_at)
select id, events, %(type)s, %(data)s, clock_timestamp() from counted

-- name: next_request
-- Whoever ends a request nudges the next one of its session.
select id, session_id, traceparent from requests
 where session_id = %(session_id)s and due_at is not null order by seq limit 1

-- name: due_delivery
select id, channel, request_id, session_id, kind from deliveries
 where request_id = %(id)s and state = 'queued' and due_at <= clock_timestamp() order by rank limit 1
