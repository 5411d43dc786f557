-- name: stuck
-- Whose time has passed by more than a nudge should take, and what waits for somebody to mend something.
select 'request' as kind, id, id as request_id, session_id, state, null as channel, null as reason, attempt, nudges,
       due_at, greatest(extract(epoch from clock_timestamp() - due_at), 0)::float8 as overdue_seconds, created_at
  from requests
 where due_at < clock_timestamp() - make_interval(secs => %(late)s) or (due_at is not null and nudges >= 3)
union all
select 'delivery', id, request_id, session_id, state, channel, reason, attempt, nudges, due_at,
       greatest(extract(epoch from clock_timestamp() - due_at), 0)::float8, created_at
  from deliveries
 where due_at < clock_timestamp() - make_interval(secs => %(late)s) or state = 'parked'
    or (due_at is not null and nudges >= 3)
 order by overdue_seconds desc, id limit %(limit)s

-- name: page_of_dead_letters
select id, stored_at, type, subject, destination, code, reason, replayed_at, closed_at, closed_reason
  from dead_letters
 where (%(all)s or (replayed_at is null and closed_at is null))
   and (%(type)s::text is null or type = %(type)s)
   and (%(before_at)s::timestamptz is null or (stored_at, id) < (%(before_at)s, %(before)s::uuid))
 order by stored_at desc, id desc limit %(limit)s

-- name: insert_audit
insert into audit_log (actor, action, object, detail) values (%(actor)s, %(action)s, %(object)s, %(detail)s)

-- name: page_of_audit
select id, actor, action, object, detail, created_at from audit_log
 where (%(before)s::bigint is null or id < %(before)s)
 order by id desc limit %(limit)s
