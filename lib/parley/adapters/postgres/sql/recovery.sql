-- name: overdue_requests
select 'request' as kind, id, id as request_id, session_id, null as channel, epoch, nudges, traceparent, now() as now
  from requests where due_at < clock_timestamp()
 order by due_at limit %(limit)s for update skip locked

-- name: overdue_deliveries
select 'delivery' as kind, d.id, d.request_id, d.session_id, d.channel, d.kind as about, d.epoch, d.nudges, r.traceparent
  from deliveries d join requests r on r.id = d.request_id
 where d.due_at < clock_timestamp()
 order by d.due_at limit %(limit)s for update of d skip locked

-- name: put_off_requests
update requests r
   set nudges = nudges + 1,
       due_at = least(clock_timestamp() + make_interval(secs => p.pause),
                      case when r.deadline > clock_timestamp() then r.deadline end)
  from unnest(%(ids)s::uuid[], %(pauses)s::float8[]) as p (id, pause) where r.id = p.id

-- name: put_off_deliveries
update deliveries d
   set nudges = nudges + 1,
       due_at = least(clock_timestamp() + make_interval(secs => p.pause),
                      case when d.deadline > clock_timestamp() then d.deadline end)
  from unnest(%(ids)s::uuid[], %(pauses)s::float8[]) as p (id, pause) where d.id = p.id

-- name: beat
insert into heartbeats (name) values (%(name)s) on conflict (name) do update set beat_at = now()

-- name: insert_dead_letter
insert into dead_letters (id, event, source, event_id, type, subject, destination, code, reason)
values (%(id)s, %(event)s, %(source)s, %(event_id)s, %(type)s, %(subject)s, %(destination)s, %(code)s, %(reason)s)
on conflict (id) do nothing
