-- name: lock_circuit
select * from circuits where name = %(name)s for update

-- name: try_circuit
-- One delivery at a time tries whether it is cured: who comes second waits here, and finds it taken.
update circuits set until = clock_timestamp() + make_interval(secs => %(lease)s)
 where name = %(name)s and until <= clock_timestamp()
returning name

-- name: keep_circuit
insert into circuits as c (name, failing_since, failures, trips, opened_at, until, reason, code)
values (%(name)s, %(failing_since)s, %(failures)s, %(trips)s, %(opened_at)s, %(until)s, %(reason)s, %(code)s)
on conflict (name) do update
   set failures = excluded.failures, trips = excluded.trips, opened_at = excluded.opened_at, until = excluded.until,
       reason = excluded.reason, code = excluded.code

-- name: close_circuit
delete from circuits where name = %(name)s

-- name: release_parked
-- All that waited for the cure is due at once, with a patience of its own; who is worked on now comes by itself.
update deliveries
   set state = 'queued', due_at = clock_timestamp(), not_before = null, deadline = clock_timestamp() + patience,
       updated_at = clock_timestamp()
 where id in (select id from deliveries where circuit = %(name)s and state = 'parked' for update skip locked)

-- name: open_circuits
-- What somebody should see to: the oldest first.
select c.name, c.failing_since, c.failures, c.opened_at, c.until, c.reason, c.code,
       (select count(*) from deliveries d where d.circuit = c.name and d.state = 'parked') as parked
  from circuits c where c.until is not null order by c.opened_at limit %(limit)s
