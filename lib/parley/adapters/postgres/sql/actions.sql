-- name: open_action
-- The turn ends its invocation and keeps the slot of its session; the time that a person takes is not the turn's.
with fenced as (
    update requests
       set state = 'requires_action', lease_owner = null, lease_until = null, nudges = 0,
           due_at = clock_timestamp() + make_interval(secs => %(patience)s),
           deadline = deadline + make_interval(secs => %(patience)s),
           events = events + 2, version = version + 1, updated_at = clock_timestamp()
     where id = %(id)s and epoch = %(epoch)s and step = %(step)s and state = 'running' and not cancel_requested
    returning id, session_id, user_id, traceparent, due_at, events
), opened as (
    insert into actions (id, request_id, step, fingerprint, tool, arguments, digest, risk, summary, expires_at,
                         created_at)
    select %(action_id)s, id, %(step)s, %(fingerprint)s, %(tool)s, %(arguments)s, %(digest)s, %(risk)s, %(summary)s,
           due_at, clock_timestamp()
      from fenced
), told as (
    insert into request_events (request_id, seq, type, data, created_at)
    select id, events - 1, 'status', jsonb_build_object('status', 'requires_action'), clock_timestamp() from fenced
     union all
    select id, events, 'requires_action',
           jsonb_build_object('action_id', %(action_id)s::uuid, 'tool', %(tool)s::text, 'summary', %(summary)s::text,
                              'expires_at', due_at), clock_timestamp()
      from fenced
)
select id, session_id, user_id, traceparent from fenced

-- name: settle_action
-- The decision becomes a step of the journal, and the turn may be taken; no message about it goes out any more.
with settled as (
    update actions set state = %(state)s, decided_by = %(by)s, decided_at = clock_timestamp()
     where id = %(id)s and state = 'open'
    returning id, request_id, step, fingerprint, state, expires_at
), freed as (
    update requests r
       set state = 'queued', step = r.step + 1, attempt = 0, nudges = 0,
           due_at = clock_timestamp() + make_interval(secs => %(nudge)s),
           deadline = r.deadline - greatest(s.expires_at - clock_timestamp(), interval '0'),
           events = r.events + 1, version = r.version + 1, updated_at = clock_timestamp()
      from settled s
     where r.id = s.request_id and r.state = 'requires_action' and r.step = s.step
    returning r.id, r.session_id, r.epoch, r.events, r.traceparent
), written as (
    insert into steps as old (request_id, step, kind, fingerprint, state, epoch, output, finished_at)
    select s.request_id, s.step, 'approval', s.fingerprint, 'done', f.epoch,
           jsonb_build_object('decision', s.state, 'action_id', s.id), clock_timestamp()
      from settled s join freed f on f.id = s.request_id
    on conflict (request_id, step) do update
       set kind = excluded.kind, fingerprint = excluded.fingerprint, state = 'done', epoch = excluded.epoch,
           output = excluded.output, finished_at = excluded.finished_at
), told as (
    insert into request_events (request_id, seq, type, data, created_at)
    select id, events, 'status', jsonb_build_object('status', 'queued'), clock_timestamp() from freed
), moot as (
    update deliveries d
       set state = case when exists (select from delivery_attempts t
                                      where t.delivery_id = d.id and (t.outcome is null or t.outcome = 'unsure'))
                        then 'unknown' else 'cancelled' end,
           reason = 'decided', due_at = null, finished_at = clock_timestamp(), updated_at = clock_timestamp()
     where d.action_id = %(id)s and d.state in ('planned', 'queued', 'deferred', 'parked')
)
select id, session_id, traceparent from freed

-- name: close_action
-- The request ends otherwise, in the same transaction: nothing is left to decide.
with closed as (
    update actions set state = %(state)s, decided_by = %(by)s, decided_at = clock_timestamp()
     where request_id = %(id)s and state = 'open'
    returning id
)
update deliveries d
   set state = case when exists (select from delivery_attempts t
                                  where t.delivery_id = d.id and (t.outcome is null or t.outcome = 'unsure'))
                    then 'unknown' else 'cancelled' end,
       reason = 'not needed any more', due_at = null, finished_at = clock_timestamp(), updated_at = clock_timestamp()
 where d.action_id in (select id from closed) and d.state in ('planned', 'queued', 'deferred', 'parked')

-- name: awaited_action
-- What a session waits for. `shown`: its user may have seen it; what was said before that is no answer to it.
select a.*, r.session_id, r.content,
       not exists (select from deliveries d where d.action_id = a.id)
       or exists (select from deliveries d join delivery_attempts t on t.delivery_id = d.id
                   where d.action_id = a.id and (t.outcome is null or t.outcome in ('delivered', 'unsure'))) as shown
  from requests r join actions a on a.request_id = r.id and a.state = 'open'
 where r.session_id = %(session_id)s and r.state = 'requires_action' and a.expires_at > clock_timestamp()

-- name: supersede_request
-- The user said something else instead: what was asked and proposed stays in the conversation.
with ended as (
    update requests
       set state = 'cancelled', error = %(error)s, due_at = null, events = events + 1, version = version + 1,
           finished_at = clock_timestamp(), updated_at = clock_timestamp()
     where id = %(id)s and state = 'requires_action'
    returning id, session_id, seq, content, events
), told as (
    insert into request_events (request_id, seq, type, data, created_at)
    select id, events, 'cancelled', '{}', clock_timestamp() from ended
)
insert into messages (session_id, seq, role, content, agent, request_id)
select e.session_id, e.seq, said.role, coalesce(said.content, e.content), null, e.id
  from ended e, (values ('user', null), ('assistant', %(proposal)s)) as said (role, content)

-- name: key_answers
-- The message that decides belongs to the request that it decides about.
update idempotency_keys set request_id = %(request_id)s
 where principal = %(principal)s and route = %(route)s and key = %(key)s

-- name: action_of
select a.*, r.session_id, r.user_id, a.expires_at <= clock_timestamp() as past
  from actions a join requests r on r.id = a.request_id
 where a.id = %(id)s

-- name: lock_session_of_action
select s.id from sessions s
 where s.id = (select r.session_id from actions a join requests r on r.id = a.request_id where a.id = %(id)s)
   for update

-- name: actions_of_request
select a.*, r.session_id from actions a join requests r on r.id = a.request_id
 where a.request_id = %(id)s order by a.step, a.created_at

-- name: open_action_of
select id from actions where request_id = %(id)s and state = 'open'
