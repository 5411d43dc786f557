-- name: disable_endpoint
-- Not called again until its owner sets it anew. Once.
insert into endpoints as e (integration_id, disabled_at, disabled_reason)
select i.id, clock_timestamp(), %(reason)s from user_integrations i where i.id::text = %(id)s
on conflict (integration_id) do update
   set disabled_at = excluded.disabled_at, disabled_reason = excluded.disabled_reason, updated_at = clock_timestamp()
 where e.disabled_at is null
returning integration_id
