-- name: disable_endpoint
-- Not called again until its owner sets it anew. Once.
insert into endpoints as e (integration_id, disabled_at, disabled_reason)
select i.id, clock_timestamp(), %(reason)s from user_integrations i where i.id::text = %(id)s
on conflict (integration_id) do update
   set disabled_at = excluded.disabled_at, disabled_reason = excluded.disabled_reason, updated_at = clock_timestamp()
 where e.disabled_at is null
returning integration_id

-- name: endpoint
select e.*, i.id, i.channel, i.config, i.user_id, c.until is not null as is_open, c.failing_since, c.failures
  from user_integrations i left join endpoints e on e.integration_id = i.id
  left join circuits c on c.name = i.channel || ':' || i.id
 where i.id = %(id)s

-- name: consented
-- The receiver wants our posts.
insert into endpoints (integration_id, consented_at, allowed_rate)
select id, clock_timestamp(), %(rate)s from user_integrations where id::text = %(id)s
on conflict (integration_id) do update
   set consented_at = excluded.consented_at, allowed_rate = excluded.allowed_rate, updated_at = clock_timestamp()

-- name: enable_endpoint
-- Its owner has set it anew, or says that it works again.
update endpoints set disabled_at = null, disabled_reason = null, next_at = null, updated_at = clock_timestamp()
 where integration_id = %(id)s

-- name: forget_consent
update endpoints set consented_at = null, allowed_rate = null where integration_id = %(id)s

-- name: rotate_endpoint
-- A new generation of its secret; the one before signs, too, until then.
insert into endpoints (integration_id, generation, overlap_until)
values (%(id)s, 2, clock_timestamp() + make_interval(secs => %(overlap)s))
on conflict (integration_id) do update
   set generation = endpoints.generation + 1, overlap_until = excluded.overlap_until, updated_at = clock_timestamp()
returning generation, overlap_until
