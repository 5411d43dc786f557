-- name: slack_messages_of
select part, conversation, ts, state, seq from slack_messages
 where request_id = %(request_id)s and kind = %(kind)s order by part

-- name: keep_slack_message
insert into slack_messages (request_id, kind, part, conversation, ts, state)
values (%(request_id)s, %(kind)s, %(part)s, %(conversation)s, %(ts)s, 'posted')
on conflict (request_id, kind, part) do update
   set conversation = excluded.conversation, ts = excluded.ts, state = 'posted', lease_until = null

-- name: forget_slack_message
delete from slack_messages where request_id = %(request_id)s and kind = %(kind)s and part = %(part)s

-- name: take_slot
-- One statement takes it, so that two instances never take the same; none is taken that is further away than one waits.
update paces
   set next_at = greatest(next_at, clock_timestamp()) + make_interval(secs => %(gap)s)
 where key = %(key)s and next_at <= clock_timestamp() + make_interval(secs => %(budget)s)
returning greatest(0, extract(epoch from next_at - make_interval(secs => %(gap)s) - clock_timestamp()))::float8 as pause

-- name: next_slot
select greatest(0, extract(epoch from next_at - clock_timestamp()))::float8 as pause from paces where key = %(key)s

-- name: open_pace
insert into paces (key, next_at) values (%(key)s, clock_timestamp()) on conflict (key) do nothing

-- name: hold_pace
insert into paces (key, next_at) values (%(key)s, clock_timestamp() + make_interval(secs => %(seconds)s))
on conflict (key) do update set next_at = greatest(paces.next_at, excluded.next_at)
