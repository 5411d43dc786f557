-- name: old_requests
-- Old enough, with nothing open in their session (a turn needs its history) and no delivery of their own that is.
select r.id, r.session_id from requests r
 where r.due_at is null and r.finished_at < clock_timestamp() - make_interval(secs => %(age)s)
   and not exists (select from requests o where o.session_id = r.session_id and o.due_at is not null)
   and not exists (select from deliveries d where d.request_id = r.id and d.due_at is not null)
 order by r.finished_at limit %(limit)s

-- name: lock_idle_sessions
-- The lock order everywhere: the session first. One that somebody works in now is left to the next time.
select id from sessions where id = any(%(ids)s) order by id for update skip locked

-- name: delete_requests
-- Looked at anew under the lock. Messages, steps, events, keys, deliveries and attempts go with their request.
delete from requests r
 where r.id = any(%(ids)s) and r.session_id = any(%(sessions)s) and r.due_at is null
   and not exists (select from requests o where o.session_id = r.session_id and o.due_at is not null)
   and not exists (select from deliveries d where d.request_id = r.id and d.due_at is not null)

-- name: delete_empty_sessions
delete from sessions s
 where s.id = any(%(ids)s) and (s.status = 'closed' or s.expires_at < clock_timestamp())
   and not exists (select from requests r where r.session_id = s.id)

-- name: purge_sessions
-- Those that nobody ever asked anything in. A question that comes meanwhile moves the expiry, which the lock sees.
delete from sessions where id in (
    select s.id from sessions s
     where s.expires_at < clock_timestamp() - make_interval(secs => %(age)s)
       and not exists (select from requests r where r.session_id = s.id)
     order by s.expires_at limit %(limit)s for update skip locked)

-- name: purge_idempotency_keys
delete from idempotency_keys where (principal, route, key) in (
    select k.principal, k.route, k.key from idempotency_keys k
     where k.created_at < clock_timestamp() - make_interval(secs => %(age)s)
       and not exists (select from requests r where r.id = k.request_id and r.due_at is not null)
     order by k.created_at limit %(limit)s for update skip locked)

-- name: purge_done_letters
delete from dead_letters where id in (
    select id from dead_letters
     where coalesce(closed_at, replayed_at) < clock_timestamp() - make_interval(secs => %(age)s)
     limit %(limit)s for update skip locked)

-- name: purge_open_letters
delete from dead_letters where id in (
    select id from dead_letters
     where closed_at is null and replayed_at is null
       and stored_at < clock_timestamp() - make_interval(secs => %(age)s)
     order by stored_at limit %(limit)s for update skip locked)

-- name: purge_api_keys
delete from api_keys where id in (
    select id from api_keys
     where kind = 'key' and least(revoked_at, expires_at) < clock_timestamp() - make_interval(secs => %(age)s)
     limit %(limit)s for update skip locked)

-- name: purge_sign_ins
delete from api_keys where id in (
    select id from api_keys
     where kind <> 'key' and least(revoked_at, expires_at) < clock_timestamp() - make_interval(secs => %(age)s)
     limit %(limit)s for update skip locked)

-- name: purge_audit_log
delete from audit_log where id in (
    select id from audit_log where created_at < clock_timestamp() - make_interval(secs => %(age)s)
     order by created_at limit %(limit)s for update skip locked)

-- name: purge_rate_limits
-- A bucket that nobody has used for so long is full.
delete from rate_limits where principal in (
    select principal from rate_limits where taken_at < clock_timestamp() - make_interval(secs => %(age)s)
     limit %(limit)s for update skip locked)

-- name: purge_paces
-- Who writes there again begins anew: a pace without a row is that of somebody who has waited long enough.
delete from paces where key in (
    select key from paces where next_at < clock_timestamp() - make_interval(secs => %(age)s)
     order by next_at limit %(limit)s for update skip locked)
