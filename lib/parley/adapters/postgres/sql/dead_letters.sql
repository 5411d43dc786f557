-- name: insert_dead_letter
-- Closed at once when the row that it is about has ended. The same letter again is the same row; only when it was
-- replayed in between has it failed anew, and is open again.
with ended as (
    select 'the request is ' || state as how from requests where id = %(about)s::uuid and due_at is null
    union all
    select 'the delivery is ' || state from deliveries
     where id = %(about)s::uuid and due_at is null and state <> 'planned'
)
insert into dead_letters as l (id, event, body, source, event_id, type, subject, about, destination, code, reason,
                               closed_at, closed_reason)
values (%(id)s, %(event)s, %(body)s, %(source)s, %(event_id)s, %(type)s, %(subject)s, %(about)s, %(destination)s,
        %(code)s, %(reason)s, (select now() from ended), (select how from ended))
on conflict (id) do update
   set event = excluded.event, body = excluded.body, code = excluded.code, reason = excluded.reason,
       stored_at = excluded.stored_at, replayed_at = null, closed_at = excluded.closed_at,
       closed_reason = excluded.closed_reason
 where l.replayed_at is not null

-- name: close_dead_letters
-- What was about a row that has ended meanwhile has nothing to replay.
with ended as (
    select l.id, coalesce('the request is ' || r.state, 'the delivery is ' || d.state) as how
      from dead_letters l
      left join requests r on r.id = l.about and r.due_at is null
      left join deliveries d on d.id = l.about and d.due_at is null and d.state <> 'planned'
     where l.closed_at is null and l.replayed_at is null and l.about is not null
       and (r.id is not null or d.id is not null)
     limit %(limit)s for update of l skip locked
)
update dead_letters l set closed_at = now(), closed_reason = ended.how from ended where l.id = ended.id

-- name: list_dead_letters
select id, stored_at, type, subject, destination, code, reason, replayed_at, closed_at, closed_reason
  from dead_letters
 where (%(all)s or (replayed_at is null and closed_at is null))
   and (%(type)s::text is null or type = %(type)s)
   and stored_at >= coalesce(%(since)s::timestamptz, '-infinity')
   and stored_at < coalesce(%(until)s::timestamptz, 'infinity')
 order by stored_at desc, id limit %(limit)s

-- name: open_dead_letters
-- In the order in which they came.
select id from dead_letters
 where replayed_at is null and closed_at is null
   and (%(type)s::text is null or type = %(type)s)
   and stored_at >= coalesce(%(since)s::timestamptz, '-infinity')
   and stored_at < coalesce(%(until)s::timestamptz, 'infinity')
 order by stored_at, id

-- name: dead_letter
select id, stored_at, source, event_id, type, subject, about, destination, code, reason, replayed_at, closed_at,
       closed_reason, event, body
  from dead_letters where id = %(id)s

-- name: claim_dead_letter
-- Who gets the row replays it; nobody waits for it, and after the commit it is open no more.
select event, body from dead_letters
 where id = %(id)s and replayed_at is null and closed_at is null
   for update skip locked

-- name: dead_letter_replayed
update dead_letters set replayed_at = clock_timestamp() where id = %(id)s
