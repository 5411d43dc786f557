-- name: key_by_prefix
-- A key that has expired or was revoked is as good as none. Its last use is written at most once a minute, and only
-- for the key itself: anybody may know the prefix.
with found as (
    select id, digest, user_id, role, last_used_at from api_keys
     where prefix = %(prefix)s and revoked_at is null and (expires_at is null or expires_at > now())
), used as (
    update api_keys k set last_used_at = now() from found f
     where k.id = f.id and f.digest = %(digest)s
       and (f.last_used_at is null or f.last_used_at < now() - interval '1 minute')
)
select id, digest, user_id, role from found

-- name: insert_key
insert into api_keys (id, prefix, digest, user_id, role, name, expires_at)
values (%(id)s, %(prefix)s, %(digest)s, %(user_id)s, %(role)s, %(name)s,
        now() + make_interval(days => %(days)s::int))

-- name: list_keys
select k.prefix, k.name, k.role, u.email, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
       coalesce(k.expires_at <= now(), false) as is_expired
  from api_keys k join users u on u.id = k.user_id order by k.created_at

-- name: revoke_key
update api_keys set revoked_at = now() where prefix = %(prefix)s and revoked_at is null

-- name: keys_readable
select exists (select from api_keys limit 1) as any

-- name: request_view
select id, session_id, user_id, asked_by, seq, source, state, version, attempt, result, error, plan, created_at,
       started_at, finished_at, deadline
  from requests where id = %(id)s

-- name: request_versions
select id, version, state from requests where id = any(%(ids)s)

-- name: deliveries_of_user
select id, request_id, session_id, kind, channel, rank, state, attempt, reason, created_at, finished_at
  from deliveries where user_id = %(user_id)s order by created_at desc, id desc limit %(limit)s

-- name: delivery_view
select id, request_id, session_id, user_id, kind, channel, rank, state, attempt, reason, also_by, due_at, deadline,
       created_at, finished_at
  from deliveries where id = %(id)s

-- name: attempts_of_delivery
select epoch as number, started_at, finished_at, outcome, reason, code, provider_id, latency_ms, sent
  from delivery_attempts where delivery_id = %(id)s order by epoch

-- name: integrations_of_user
select id, channel, enabled, rank, config, version from user_integrations where user_id = %(user_id)s order by channel

-- name: put_integration
insert into user_integrations (id, user_id, channel, enabled, rank, config)
values (%(id)s, %(user_id)s, %(channel)s, %(enabled)s, %(rank)s, %(config)s)
on conflict (user_id, channel) do update
   set enabled = excluded.enabled, rank = excluded.rank, config = excluded.config,
       version = user_integrations.version + 1, updated_at = now()
returning id, channel, enabled, rank, config, version, version = 1 as is_new

-- name: delete_integration
delete from user_integrations where user_id = %(user_id)s and channel = %(channel)s
