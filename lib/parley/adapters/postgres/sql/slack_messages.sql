-- name: slack_messages_of
-- A failure is said where the answer was begun.
select part, conversation, ts, state, seq from slack_messages
 where request_id = %(request_id)s
   and (kind = %(kind)s or (%(kind)s = 'failure' and kind = 'answer' and part = 0 and state = 'streaming'))
 order by part, kind = %(kind)s

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

-- name: begin_stream
-- Whoever takes the turn of a question that was asked in a thread of Slack shows its answer there; one that nobody shows
-- any more is taken over. Not for people who want nothing by Slack, and not while an earlier answer of the conversation
-- is still on its way: it would arrive below this one.
insert into slack_messages (request_id, kind, part, conversation, state, lease_until)
select r.id, 'answer', 0, r.origin->>'conversation', 'starting', clock_timestamp() + make_interval(secs => %(lease)s)
  from requests r
 where r.id = %(request_id)s and r.due_at is not null and r.origin->>'channel' = 'slack'
   and r.origin->>'conversation' is not null and r.origin->>'thread' is not null
   and not exists (select from user_integrations i
                    where i.user_id = r.user_id and i.channel = 'slack' and i.enabled = false)
   and not exists (select from deliveries e join requests q on q.id = e.request_id
                    where e.session_id = r.session_id and e.channel = 'slack' and e.due_at is not null
                      and e.state not in ('parked', 'accepted', 'deferred') and q.seq < r.seq)
on conflict (request_id, kind, part) do update set lease_until = excluded.lease_until
 where slack_messages.state in ('starting', 'streaming')
   and coalesce(slack_messages.lease_until < clock_timestamp(), true)
returning ts, seq

-- name: take_title
-- Threads with us alone have titles. The mark makes it one attempt for each thread, whatever comes twice.
update requests r set titled = true
 where r.id = %(request_id)s and r.thread is not null and r.origin->>'channel' = 'slack'
   and starts_with(r.origin->>'conversation', 'D') and r.origin->>'thread' is not null
   and not exists (select from requests t where t.thread = r.thread and t.titled)
returning r.origin, left(r.content, 400) as question, r.files->0->>'name' as file

-- name: stream_place
select r.origin, left(r.content, 400) as question, (select split_part(u.value, ':', 2) from user_identities u
                   where u.user_id = r.user_id and u.kind = 'slack'
                     and u.value like coalesce(r.origin->>'workspace', '') || ':%%' limit 1) as person
  from requests r where r.id = %(request_id)s

-- name: stream_opened
update slack_messages set ts = %(ts)s, state = 'streaming'
 where request_id = %(request_id)s and kind = 'answer' and part = 0 and state = 'starting'

-- name: advance_stream
-- From what we know was shown to what we show now: two who follow the same stream never both add to it.
update slack_messages
   set seq = %(seq)s, lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
 where request_id = %(request_id)s and kind = 'answer' and part = 0 and state in ('starting', 'streaming')
   and seq = %(known)s

-- name: leave_stream
update slack_messages set lease_until = null
 where request_id = %(request_id)s and kind = 'answer' and part = 0 and state = 'streaming'

-- name: drop_start
-- A message that was never begun, or whose beginning nobody has written down: whoever began it takes it away.
delete from slack_messages
 where request_id = %(request_id)s and kind = 'answer' and part = 0 and state = 'starting'

-- name: stream_events
select seq, type, data from request_events where request_id = %(request_id)s and seq > %(after)s order by seq

-- name: stream_cancel
select user_id from requests where id = %(request_id)s
