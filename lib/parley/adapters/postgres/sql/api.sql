-- name: key_by_prefix
-- A key that has expired or was revoked is as good as none. Its last use is written at most once a minute, and only
-- for the key itself: anybody may know the prefix.
with found as (
    select id, digest, user_id, role, scopes, last_used_at from api_keys
     where prefix = %(prefix)s and kind = 'key' and revoked_at is null and (expires_at is null or expires_at > now())
), used as (
    update api_keys k set last_used_at = now() from found f
     where k.id = f.id and f.digest = %(digest)s
       and (f.last_used_at is null or f.last_used_at < now() - interval '1 minute')
)
select id, digest, user_id, role, scopes from found

-- name: insert_key
-- By a session of the page: the key that signed in there has made it.
insert into api_keys (id, prefix, digest, user_id, role, name, scopes, expires_at, made_by)
values (%(id)s, %(prefix)s, %(digest)s, %(user_id)s, %(role)s, %(name)s, %(scopes)s,
        now() + make_interval(days => %(days)s::int),
        (select case kind when 'key' then id else parent end from api_keys where id = %(made_by)s))

-- name: list_keys
select k.prefix, k.name, k.role, k.scopes, u.email, k.created_at, k.expires_at, k.revoked_at, k.last_used_at,
       coalesce(k.expires_at <= now(), false) as is_expired, m.prefix as made_by
  from api_keys k join users u on u.id = k.user_id left join api_keys m on m.id = k.made_by
 where k.kind = 'key' and k.user_id = coalesce(%(user_id)s::uuid, k.user_id)
 order by k.created_at

-- name: key_owner_of_prefix
select user_id from api_keys where prefix = %(prefix)s

-- name: revoke_key
update api_keys set revoked_at = now() where prefix = %(prefix)s and revoked_at is null

-- name: revoke_keys_made
with recursive made as (
    select id from api_keys where prefix = %(prefix)s and kind = 'key'
    union select k.id from api_keys k join made on k.made_by = made.id
)
update api_keys set revoked_at = now() where id in (select id from made) and revoked_at is null

-- name: is_staff
-- Who has, or had, a key of the support or of an admin that is still valid, or whose last token named such a role.
select exists (select from api_keys
                where user_id = %(user_id)s and role in ('support', 'admin') and revoked_at is null
                  and (expires_at is null or expires_at > now()))
    or exists (select from user_identities where user_id = %(user_id)s and role is not null) as it_is

-- name: keys_readable
select exists (select from api_keys limit 1) as any

-- name: take_rate
-- A token bucket: refilled by the time that has passed, by the database's clock. What is refused takes nothing.
insert into rate_limits as r (principal, tokens, allowed, taken_at)
values (%(principal)s, %(burst)s::float8 - 1, true, statement_timestamp())
on conflict (principal) do update
   set (tokens, allowed, taken_at) = (
       select case when b.tokens >= 1 then b.tokens - 1 else b.tokens end, b.tokens >= 1,
              greatest(r.taken_at, statement_timestamp())
         from (select least(%(burst)s::float8, r.tokens + %(rate)s::float8 * greatest(
                          extract(epoch from statement_timestamp() - r.taken_at), 0)::float8) as tokens) as b)
returning tokens, allowed

-- name: me
select id as user_id, email, display_name from users where id = %(user_id)s

-- name: request_view
select r.id, r.session_id, r.user_id, r.asked_by, r.seq, r.source, r.content, r.state, r.version, r.attempt, r.result,
       r.error, r.usage, r.plan, r.created_at, r.started_at, r.finished_at, r.deadline, r.erased_at, r.answered_by,
       case when r.due_at is null then 0
            else (select count(*) from requests e
                   where e.session_id = r.session_id and e.seq < r.seq and e.due_at is not null) end as queue_position
  from requests r where r.id = %(id)s

-- name: list_requests
-- The newest first: ids sort by time.
select r.id, r.session_id, r.user_id, r.asked_by, r.seq, r.source, r.content, r.state, r.version, r.attempt,
       r.created_at, r.started_at, r.finished_at, r.deadline, r.answered_by,
       case when %(results)s and r.erased_at is null then r.result end as result,
       case when %(results)s and r.erased_at is null then r.error end as error,
       case when r.due_at is null then 0
            else (select count(*) from requests e
                   where e.session_id = r.session_id and e.seq < r.seq and e.due_at is not null) end as queue_position
  from requests r
 where (%(user_id)s::uuid is null or r.user_id = %(user_id)s)
   and (%(session_id)s::uuid is null or r.session_id = %(session_id)s)
   and (%(state)s::text is null or r.state = %(state)s)
   and (%(before)s::uuid is null or r.id < %(before)s)
 order by r.id desc limit %(limit)s

-- name: request_versions
select id, version, state from requests where id = any(%(ids)s)

-- name: events_after
-- What was logged since, for many readers at once.
select w.reader, e.request_id, e.seq, e.type, e.data
  from unnest(%(readers)s::int[], %(ids)s::uuid[], %(seqs)s::int[]) as w (reader, id, seq)
  join request_events e on e.request_id = w.id and e.seq > w.seq
 order by w.reader, e.seq limit %(limit)s

-- name: put_feedback
insert into request_feedback as f (request_id, user_id, rating, reason, comment)
values (%(request_id)s, %(user_id)s, %(rating)s, %(reason)s, %(comment)s)
on conflict (request_id, user_id) do update
   set rating = excluded.rating, reason = excluded.reason, comment = excluded.comment, updated_at = now()

-- name: escalate
-- Once for a request; what was closed is opened again.
insert into escalations as e (id, request_id, session_id, user_id, reason)
values (%(id)s, %(request_id)s, %(session_id)s, %(user_id)s, %(reason)s)
on conflict (request_id) do update
   set reason = coalesce(excluded.reason, e.reason), state = 'open', closed_at = null, closed_by = null
returning id, request_id, session_id, user_id, reason, state, created_at, closed_at

-- name: list_escalations
select id, request_id, session_id, user_id, reason, state, created_at, closed_at from escalations
 where state = %(state)s and (%(after)s::uuid is null or id > %(after)s)
 order by id limit %(limit)s

-- name: close_escalation
update escalations set state = 'closed', closed_by = %(user_id)s, closed_at = now()
 where id = %(id)s and state = 'open'
returning id

-- name: deliveries_of_user
select id, request_id, session_id, kind, channel, rank, state, attempt, reason, created_at, finished_at
  from deliveries
 where user_id = %(user_id)s
   and (%(before_at)s::timestamptz is null or (created_at, id) < (%(before_at)s, %(before)s::uuid))
 order by created_at desc, id desc limit %(limit)s

-- name: delivery_view
select d.id, d.request_id, d.session_id, d.user_id, r.asked_by, d.kind, d.channel, d.rank, d.state, d.attempt, d.reason,
       d.also_by, d.due_at, d.deadline, d.created_at, d.finished_at
  from deliveries d join requests r on r.id = d.request_id
 where d.id = %(id)s

-- name: attempts_of_delivery
select epoch as number, started_at, finished_at, outcome, reason, code, provider_id, latency_ms, sent
  from delivery_attempts where delivery_id = %(id)s order by epoch

-- name: redeliver
-- What has ended, however it did, is due once more, by itself; its patience begins anew.
update deliveries d
   set state = 'queued', due_at = clock_timestamp(), deadline = clock_timestamp() + patience, attempt = 0, nudges = 0,
       failures = 0, mode = 'all', not_before = null, finished_at = null, reason = null, updated_at = clock_timestamp()
  from requests r
 where d.id = %(id)s and d.due_at is null and d.state <> 'planned' and d.rank > 0 and r.id = d.request_id
   and r.erased_at is null
returning d.id, d.channel, d.request_id, d.session_id, d.kind, r.traceparent

-- name: deliveries_of_request
select id, request_id, session_id, kind, channel, rank, state, attempt, reason, not_before, created_at, finished_at
  from deliveries where request_id = %(request_id)s order by created_at, rank

-- name: integrations_of_user
select id, channel, enabled, rank, level, patience_seconds, config, version from user_integrations where user_id = %(user_id)s order by channel

-- name: put_integration
-- `version`: only when it is still this one; null takes any.
insert into user_integrations (id, user_id, channel, enabled, rank, level, patience_seconds, config)
select %(id)s, %(user_id)s, %(channel)s, %(enabled)s, %(rank)s, %(level)s, %(patience_seconds)s, %(config)s
 where %(version)s::bigint is null
    or exists (select from user_integrations where user_id = %(user_id)s and channel = %(channel)s)
on conflict (user_id, channel) do update
   set enabled = excluded.enabled, rank = excluded.rank, level = excluded.level,
       patience_seconds = excluded.patience_seconds, config = excluded.config,
       version = user_integrations.version + 1, updated_at = now()
 where %(version)s::bigint is null or user_integrations.version = %(version)s
returning id, channel, enabled, rank, level, patience_seconds, config, version, version = 1 as is_new

-- name: delete_integration
delete from user_integrations where user_id = %(user_id)s and channel = %(channel)s

-- name: delete_integrations
delete from user_integrations where user_id = %(user_id)s
