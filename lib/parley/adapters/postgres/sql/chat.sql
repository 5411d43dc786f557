-- name: question_of_message
select r.id, r.user_id
  from idempotency_keys k join requests r on r.id = k.request_id
 where k.principal = %(principal)s and k.route = 'message' and k.key = %(key)s

-- name: edit_question
-- Only what nobody has begun to answer: epoch 0 was never claimed.
update requests set content = %(text)s, version = version + 1, updated_at = clock_timestamp()
 where id = %(id)s and user_id = %(user_id)s and state = 'queued' and epoch = 0 and answered_by is null

-- name: open_in_thread
select id from requests
 where thread = %(thread)s and user_id = %(user_id)s and due_at is not null
 order by seq

-- name: recent_questions
select id, left(content, 300) as question, state, extract(epoch from created_at)::bigint as asked
  from requests where user_id = %(user_id)s order by id desc limit %(limit)s

-- name: request_to_hand_over
select id, session_id, user_id, seq, content from requests
 where user_id = %(user_id)s and erased_at is null and (%(id)s::uuid is null or id = %(id)s)
 order by id desc limit 1

-- name: close_sessions
update sessions set status = 'closed', updated_at = now()
 where user_id = %(user_id)s and conversation = any(%(conversations)s) and status = 'open'

-- name: chat_preferences
select u.timezone, to_char(u.quiet_from, 'HH24:MI') as quiet_from, to_char(u.quiet_until, 'HH24:MI') as quiet_until,
       coalesce((select jsonb_agg(jsonb_build_object('channel', i.channel, 'enabled', i.enabled, 'rank', i.rank))
                   from user_integrations i where i.user_id = u.id), '[]') as channels
  from users u where u.id = %(user_id)s

-- name: prefer_channel
insert into user_integrations (id, user_id, channel, enabled, rank)
values (%(id)s, %(user_id)s, %(channel)s, %(enabled)s, %(rank)s)
on conflict (user_id, channel) do update
   set enabled = excluded.enabled, rank = excluded.rank, version = user_integrations.version + 1, updated_at = now()
 where (user_integrations.enabled, user_integrations.rank) is distinct from (excluded.enabled, excluded.rank)

-- name: prefer_timezone
update users set timezone = %(timezone)s where id = %(user_id)s

-- name: prefer_quiet
-- Neither: as everybody.
update users set quiet_from = %(begin)s::time, quiet_until = %(end)s::time where id = %(user_id)s

-- name: vote
-- The last word counts.
insert into request_feedback (request_id, user_id, rating)
select id, user_id, %(rating)s from requests where id = %(id)s and user_id = %(user_id)s
on conflict (request_id, user_id) do update set rating = excluded.rating, updated_at = now()
