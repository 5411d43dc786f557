-- name: create_session
insert into sessions (id, user_id, title, metadata, expires_at)
values (%(id)s, %(user_id)s, %(title)s, %(metadata)s, now() + make_interval(secs => %(idle)s))

-- name: session_view
select id, user_id, title, status, agent, metadata, version, next_seq - 1 as requests, input_tokens, output_tokens,
       created_at, updated_at, expires_at
  from sessions where id = %(id)s

-- name: list_sessions
-- The latest used first.
select id, user_id, title, status, agent, metadata, version, next_seq - 1 as requests, input_tokens, output_tokens,
       created_at, updated_at, expires_at
  from sessions
 where user_id = %(user_id)s and (%(status)s::text is null or status = %(status)s)
   and (%(before_at)s::timestamptz is null or (updated_at, id) < (%(before_at)s, %(before)s::uuid))
 order by updated_at desc, id desc limit %(limit)s

-- name: change_session
-- Whoever changes it must have read this version.
update sessions
   set title = case when %(has_title)s then %(title)s else title end,
       metadata = case when %(has_metadata)s then %(metadata)s else metadata end,
       status = coalesce(%(status)s, status), version = version + 1, updated_at = now()
 where id = %(id)s and version = %(version)s
returning id

-- name: lock_session
select id, version, status from sessions where id = %(id)s for update

-- name: succeed_session
-- The successor of a conversation: same person, same place, nothing of what was said.
insert into sessions (id, user_id, conversation, title, metadata, expires_at)
select %(new)s, user_id, conversation, title, metadata, now() + make_interval(secs => %(idle)s)
  from sessions where id = %(id)s

-- name: close_session
update sessions set status = 'closed', version = version + 1, updated_at = now() where id = %(id)s

-- name: list_messages
-- A place: two for each request, the question before the answer.
select seq, role, content, agent, request_id, created_at, place
  from (select *, seq * 2 + (role <> 'user')::int as place from messages where session_id = %(id)s) as said
 where (%(after)s::bigint is null or case when %(newest_first)s then place < %(after)s else place > %(after)s end)
 order by case when %(newest_first)s then -place else place end limit %(limit)s
