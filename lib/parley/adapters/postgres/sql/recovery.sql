-- name: overdue_requests
-- `called`: its deadline has passed, and it was nudged since without being heard. What is answered together with a
-- later request ends with that one.
select 'request' as kind, id, id as request_id, session_id, null as channel, epoch, nudges, traceparent,
       clock_timestamp() > deadline as past_deadline, nudges > 0 and due_at > deadline as called
  from requests r where due_at < clock_timestamp()
   and not exists (select from requests a where a.id = r.answered_by and a.due_at is not null)
 order by due_at limit %(limit)s for update skip locked

-- name: overdue_deliveries
select 'delivery' as kind, d.id, d.request_id, d.session_id, d.channel, d.kind as about, d.epoch, d.nudges, r.traceparent,
       coalesce(clock_timestamp() > d.deadline, false) as past_deadline,
       coalesce(d.nudges > 0 and d.due_at > d.deadline, false) as called
  from deliveries d join requests r on r.id = d.request_id
 where d.due_at < clock_timestamp()
 order by d.due_at limit %(limit)s for update of d skip locked

-- name: end_leases
-- Whoever held one is known to be gone. Should one live all the same, its epoch keeps it from doing harm.
with turns as (
    update requests set lease_until = clock_timestamp(), due_at = clock_timestamp()
     where state = 'running' and lease_until > clock_timestamp()
    returning 1
), sendings as (
    update deliveries set lease_until = clock_timestamp(), due_at = clock_timestamp()
     where state = 'sending' and lease_until > clock_timestamp()
    returning 1
)
select (select count(*) from turns) + (select count(*) from sendings) as ended

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

-- name: beat_unless_recent
-- True for one caller in `every` seconds, whoever comes first.
insert into heartbeats as h (name) values (%(name)s)
on conflict (name) do update set beat_at = now() where h.beat_at <= now() - make_interval(secs => %(every)s)
returning name

-- name: stand_in
-- While recover is alive, this reads two rows and writes none. Where it has never been heard of, it is given time from
-- now on. When it is silent, one caller in `every` seconds gets a row.
with met as (
    insert into heartbeats (name) values ('recover') on conflict (name) do nothing
)
insert into heartbeats as h (name)
select 'standby' from heartbeats r
 where r.name = 'recover' and r.beat_at < now() - make_interval(secs => %(silent)s)
on conflict (name) do update set beat_at = now() where h.beat_at <= now() - make_interval(secs => %(every)s)
returning name
