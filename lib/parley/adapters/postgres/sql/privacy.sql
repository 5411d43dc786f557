-- name: erase_requests
-- The content goes, the row stays: that it was asked, when, and how it ended. Only what has ended is erased.
update requests
   set content = '', files = '[]', context = '{}', origin = null, thread = null, delivery = null, plan = null,
       result = case when state = 'completed' then '{"erased": true}'::jsonb end,
       error = case when error is not null then jsonb_build_object('type', error->>'type', 'title', error->>'title') end,
       usage = null, erased_at = coalesce(erased_at, clock_timestamp()), version = version + 1,
       updated_at = clock_timestamp()
 where id = any(%(ids)s) and due_at is null
returning id

-- name: erase_messages
delete from messages where request_id = any(%(ids)s)

-- name: erase_steps
delete from steps where request_id = any(%(ids)s)

-- name: erase_events
delete from request_events where request_id = any(%(ids)s)

-- name: erase_slack_messages
delete from slack_messages where request_id = any(%(ids)s)

-- name: erase_actions
-- What was shown of a call holds what was said; messages about it go with it.
delete from actions where request_id = any(%(ids)s)

-- name: erase_keys_of_requests
delete from idempotency_keys where request_id = any(%(ids)s)

-- name: erase_feedback
delete from request_feedback where request_id = any(%(ids)s)

-- name: erase_escalations
delete from escalations where request_id = any(%(ids)s)

-- name: erase_deliveries
-- What is still to be sent is not sent.
update deliveries
   set address = '{}', address_key = 'erased', provider_id = null, notice = null, lease_owner = null, lease_until = null,
       state = case when due_at is not null or state = 'planned' then 'cancelled' else state end,
       due_at = null, finished_at = coalesce(finished_at, clock_timestamp()), epoch = epoch + 1,
       updated_at = clock_timestamp()
 where request_id = any(%(ids)s)

-- name: erase_attempts
update delivery_attempts a set sent = null, provider_id = null
  from deliveries d where d.id = a.delivery_id and d.request_id = any(%(ids)s)

-- name: erase_letters
-- Dead letters that were about these requests or their deliveries.
delete from dead_letters
 where about = any(%(ids)s) or about in (select id from deliveries where request_id = any(%(ids)s))

-- name: erase_letters_of_people
-- Events that carry what somebody said, before there was a row.
delete from dead_letters
 where type = 'parley.message.received'
   and concat(event->'data'->>'workspace', ':', event->'data'->>'sender')
       in (select value from user_identities where user_id = %(user_id)s and kind = 'slack')

-- name: erase_spool_of_people
delete from spool
 where concat(event->'data'->>'workspace', ':', event->'data'->>'sender')
       in (select value from user_identities where user_id = %(user_id)s and kind = 'slack')

-- name: sessions_of_user
select id from sessions where user_id = %(user_id)s order by id for update

-- name: requests_of_user
select id, session_id, due_at is not null as is_open, state from requests where user_id = %(user_id)s order by session_id, seq

-- name: requests_of_session
select id, due_at is not null as is_open, state from requests where session_id = %(id)s order by seq

-- name: emails_of_user
select lower(value) as email from user_identities where user_id = %(user_id)s and kind = 'email'
 union select email from users where id = %(user_id)s and email is not null

-- name: blank_sessions
update sessions
   set title = null, metadata = '{}', model_thread = null, conversation = null, status = 'closed', summary = '',
       summary_seq = 0, version = version + 1, updated_at = now()
 where id = any(%(ids)s)

-- name: delete_empty_session
delete from sessions s where s.id = any(%(ids)s) and not exists (select from requests r where r.session_id = s.id)

-- name: erase_suppressions
-- Nothing is sent to somebody whom nobody knows any more.
delete from suppressions
 where (kind = 'email' and address = any(%(emails)s))
    or (kind = 'email' and address in (select lower(config->>'address') from user_integrations
                                        where user_id = %(user_id)s))
    or (kind = 'sms' and address in (select config->>'number' from user_integrations where user_id = %(user_id)s))

-- name: erase_usage
delete from token_usage where user_id = %(user_id)s

-- name: erase_identities
delete from user_identities where user_id = %(user_id)s

-- name: erase_keys
delete from api_keys where user_id = %(user_id)s

-- name: erase_rates
delete from rate_limits where principal = 'user:' || %(user_id)s::text

-- name: erase_keys_of_caller
delete from idempotency_keys k
 where k.principal = 'user:' || %(user_id)s::text
   and not exists (select from requests r where r.id = k.request_id and r.due_at is not null)

-- name: erase_employee
-- Laptops, tickets and what was done to them go along.
delete from desk_employees
 where email = any(%(emails)s)

-- name: blank_user
update users
   set email = null, display_name = '', timezone = null, groups = '{}', quiet_from = null, quiet_until = null
 where id = %(user_id)s

-- name: export_user
select id, email, display_name, timezone, groups, to_char(quiet_from, 'HH24:MI') as quiet_from,
       to_char(quiet_until, 'HH24:MI') as quiet_until, created_at
  from users where id = %(user_id)s

-- name: export_identities
select kind, value, created_at from user_identities where user_id = %(user_id)s order by created_at, kind

-- name: export_keys
select prefix, name, role, scopes, created_at, expires_at, revoked_at, last_used_at from api_keys
 where user_id = %(user_id)s order by created_at

-- name: export_sessions
select id, title, status, agent, metadata, conversation, summary, created_at, updated_at, expires_at from sessions
 where user_id = %(user_id)s order by id

-- name: export_requests
select id, session_id, source, content, files, context, origin, delivery, state, result, error, usage, created_at, started_at,
       finished_at, erased_at
  from requests where user_id = %(user_id)s order by id

-- name: export_messages
select m.session_id, m.seq, m.role, m.content, m.agent, m.created_at
  from messages m join sessions s on s.id = m.session_id
 where s.user_id = %(user_id)s order by m.session_id, m.seq, m.role desc

-- name: export_deliveries
select id, request_id, kind, channel, rank, address, state, reason, created_at, finished_at from deliveries
 where user_id = %(user_id)s order by created_at, id

-- name: export_feedback
select request_id, rating, reason, comment, created_at, updated_at from request_feedback
 where user_id = %(user_id)s order by created_at

-- name: export_attempts
select a.delivery_id, a.epoch as number, a.started_at, a.finished_at, a.outcome, a.reason, a.provider_id, a.sent
  from delivery_attempts a join deliveries d on d.id = a.delivery_id
 where d.user_id = %(user_id)s order by a.started_at, a.delivery_id

-- name: export_actions
select a.id, a.request_id, a.tool, a.arguments, a.summary, a.state, a.created_at, a.decided_at
  from actions a join requests r on r.id = a.request_id
 where r.user_id = %(user_id)s order by a.created_at, a.id

-- name: export_escalations
select id, request_id, reason, state, created_at, closed_at from escalations where user_id = %(user_id)s order by id

-- name: export_slack_messages
select m.request_id, m.kind, m.part, m.conversation, m.ts, m.created_at
  from slack_messages m join requests r on r.id = m.request_id
 where r.user_id = %(user_id)s order by m.created_at, m.request_id, m.part

-- name: export_suppressions
select kind, address, reason, created_at from suppressions
 where (kind, address) in (
     select 'email', unnest(%(emails)s::text[])
     union all select 'email', lower(config->>'address') from user_integrations where user_id = %(user_id)s
     union all select 'sms', config->>'number' from user_integrations where user_id = %(user_id)s)
 order by created_at, address

-- name: export_usage
select day::text as day, input_tokens, output_tokens, cost::float8 as cost from token_usage where user_id = %(user_id)s order by day

-- name: export_employee
select e.email, e.name, e.region, e.country, e.role from desk_employees e
 where e.email = any(%(emails)s)

-- name: export_laptops
select l.asset, l.model, l.shipped::text as shipped from desk_laptops l
 where l.email = any(%(emails)s)
 order by l.shipped, l.asset

-- name: export_tickets
select t.number, t.kind, t.asset, t.model, t.summary, t.state, t.opened_by, t.created_at, t.updated_at from desk_tickets t
 where t.email = any(%(emails)s)
 order by t.number
