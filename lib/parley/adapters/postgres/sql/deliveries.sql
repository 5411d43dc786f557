-- name: insert_delivery
-- What is not due yet waits for the rank before it to end without success.
insert into deliveries (id, request_id, session_id, user_id, kind, action_id, channel, rank, address, address_key, mode, level,
                        confirm, pauses, quiet, locked, circuit, notice, patience, state, due_at, not_before, deadline)
select %(id)s, %(request_id)s, %(session_id)s, %(user_id)s, %(kind)s, %(action_id)s, %(channel)s, %(rank)s, %(address)s,
       %(address_key)s, %(mode)s, %(level)s, %(confirm)s, %(pauses)s, %(quiet)s, %(locked)s, %(circuit)s, %(notice)s,
       %(patience)s,
       case when not %(is_due)s then 'planned' when %(not_before)s::timestamptz > clock_timestamp() then 'deferred'
            else 'queued' end,
       case when %(is_due)s then greatest(clock_timestamp(), %(not_before)s::timestamptz) end, %(not_before)s::timestamptz,
       case when %(is_due)s then greatest(clock_timestamp(), %(not_before)s::timestamptz) + %(patience)s end
on conflict (request_id, kind, action_id, channel, rank) do nothing

-- name: insert_undeliverable
-- Something was wanted and there is no way to do it.
insert into deliveries (id, request_id, session_id, user_id, kind, action_id, channel, rank, address, address_key, state,
                        patience, reason, finished_at)
values (%(id)s, %(request_id)s, %(session_id)s, %(user_id)s, %(kind)s, %(action_id)s, %(channel)s, 0, '{}', '',
        'undeliverable', '0', %(reason)s, clock_timestamp())
on conflict (request_id, kind, action_id, channel, rank) do nothing

-- name: lock_session_of_delivery
-- The lock order everywhere: the session first. Whoever waited here then reads what the one before has committed, which
-- a lock on the delivery alone would not show of other tables. "no key": rows that refer to the session go on.
select s.id from sessions s
 where s.id = (select session_id from deliveries where id = %(id)s)
   for no key update

-- name: delivery_standing
-- Everything that the decision to send is made from, and all that a channel is told. `moot`: decided, or arrived by
-- another rank; `barred`: turned off since it was planned.
select d.*, r.content, r.result, r.error, r.traceparent, clock_timestamp() as at,
       coalesce(r.finished_at, d.created_at) as answered_at,
       coalesce(d.lease_until > clock_timestamp(), false) as leased,
       coalesce(extract(epoch from greatest(d.not_before, e.next_at) - clock_timestamp()), 0)::float8 as early,
       coalesce(clock_timestamp() > d.deadline, false) as past_deadline,
       (d.kind = 'approval' and not exists (select from actions a where a.id = d.action_id and a.state = 'open'))
       or (d.mode <> 'all' and exists (
           select from deliveries o
            where o.request_id = d.request_id and o.kind = d.kind and o.action_id is not distinct from d.action_id
              and o.id <> d.id and (o.state = 'seen' or (o.state = 'delivered' and o.level <> 'seen')
                                    or (o.state = 'accepted' and o.level = 'accepted')))) as moot,
       case when i.enabled = false and not d.locked then 'the user has turned it off' else e.disabled_reason end as barred,
       coalesce(c.until > clock_timestamp(), false) as tripped, c.until as tripped_until, c.name is not null as troubled,
       coalesce(i.config, '{}') as config, to_jsonb(e) as endpoint,
       (select to_jsonb(a) from actions a where a.id = d.action_id) as action,
       exists (select from deliveries e join requests q on q.id = e.request_id
                where e.session_id = d.session_id and e.address_key = d.address_key and e.due_at is not null
                  and e.state not in ('parked', 'accepted', 'deferred') and e.id <> d.id and q.seq < r.seq) as behind,
       exists (select from delivery_attempts a
                where a.delivery_id = d.id and (a.outcome is null or a.outcome = 'unsure')) as ambiguous,
       (select extract(epoch from min(a.started_at))::float8 from delivery_attempts a where a.delivery_id = d.id)
         as first_attempt,
       (select a.traceparent from delivery_attempts a where a.delivery_id = d.id order by a.epoch desc limit 1)
         as taken_in
  from deliveries d join requests r on r.id = d.request_id
  left join user_integrations i on i.user_id = d.user_id and i.channel = d.channel
  left join endpoints e on e.integration_id = i.id and i.id::text = d.address->>'integration'
  left join circuits c on c.name = d.circuit
 where d.id = %(id)s and d.channel = %(channel)s
   for update of d

-- name: take_delivery
with taken as (
    update deliveries
       set state = 'sending', epoch = epoch + 1, attempt = attempt + 1, nudges = 0, lease_owner = %(owner)s,
           lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
           due_at = clock_timestamp() + make_interval(secs => %(lease)s), updated_at = clock_timestamp()
     where id = %(id)s
    returning id, epoch, attempt
), started as (
    insert into delivery_attempts (delivery_id, epoch, started_at, traceparent)
    select id, epoch, clock_timestamp(), %(trace)s from taken
)
select epoch, attempt from taken

-- name: pace_endpoint
-- What a receiver has allowed in a minute is kept: the next one not sooner.
update endpoints set next_at = clock_timestamp() + make_interval(secs => 60 / allowed_rate)
 where integration_id = %(id)s::uuid and allowed_rate > 0

-- name: end_attempt
update delivery_attempts
   set finished_at = clock_timestamp(), outcome = %(outcome)s, reason = %(reason)s, code = %(code)s,
       provider_id = %(provider_id)s, sent = %(sent)s,
       latency_ms = 1000 * extract(epoch from clock_timestamp() - started_at)
 where delivery_id = %(id)s and epoch = %(epoch)s

-- name: end_delivery
-- Fenced: who has lost the lease ends nothing.
update deliveries
   set state = %(state)s, provider_id = coalesce(%(provider_id)s, provider_id), reason = %(reason)s, due_at = null,
       lease_owner = null, lease_until = null, finished_at = clock_timestamp(), updated_at = clock_timestamp()
 where id = %(id)s and epoch = %(epoch)s and state in ('sending', 'queued', 'parked', 'deferred', 'accepted')
returning id, request_id, session_id, kind, action_id, rank, channel, address_key, also_by, mode

-- name: await_confirmation
-- Taken by the vendor, and more is wanted: looked at again when that has not come in time.
update deliveries
   set state = 'accepted', provider_id = %(provider_id)s, reason = null, lease_owner = null, lease_until = null,
       due_at = clock_timestamp() + confirm, deadline = clock_timestamp() + confirm, updated_at = clock_timestamp()
 where id = %(id)s and epoch = %(epoch)s and state = 'sending'
returning session_id, address_key

-- name: put_back_delivery
-- Looked at again after the pause, or when its patience ends: then the next rank takes over. What is parked is kept.
update deliveries
   set state = %(state)s, reason = %(reason)s, lease_owner = null, lease_until = null,
       failures = %(failures)s, due_at = least(statement_timestamp() + make_interval(secs => %(pause)s), deadline),
       not_before = case when %(hold)s then statement_timestamp() + make_interval(secs => %(pause)s) end,
       updated_at = statement_timestamp()
 where id = %(id)s and epoch = %(epoch)s and state = 'sending'
returning id

-- name: park_delivery
-- Kept, however long the trouble lasts, up to three days: the message has done nothing wrong.
update deliveries
   set state = 'parked', reason = %(reason)s, lease_owner = null, lease_until = null, due_at = %(until)s,
       not_before = %(until)s, deadline = greatest(deadline, created_at + interval '3 days'), updated_at = clock_timestamp()
 where id = %(id)s and epoch = %(epoch)s and state in ('sending', 'queued', 'parked', 'deferred')
returning id, request_id, session_id, kind, action_id, rank, channel, address_key, also_by, mode

-- name: next_planned
-- The rank that follows, with what says whether quiet hours put it off.
select d.id, d.quiet, clock_timestamp() as at,
       greatest(r.created_at, (select max(a.decided_at) from actions a where a.request_id = r.id)) as acted_at
  from deliveries d join requests r on r.id = d.request_id
 where d.request_id = %(request_id)s and d.kind = %(kind)s and d.state = 'planned'
   and d.action_id is not distinct from %(action_id)s and d.rank > %(rank)s
 order by d.rank limit 1

-- name: promote
-- The next rank becomes due in the transaction that ends the one before. Being put off takes nothing of its patience.
update deliveries
   set state = case when %(not_before)s::timestamptz is null then 'queued' else 'deferred' end,
       due_at = coalesce(%(not_before)s, clock_timestamp()), not_before = %(not_before)s,
       deadline = coalesce(%(not_before)s, clock_timestamp()) + patience,
       also_by = %(also_by)s, updated_at = clock_timestamp()
 where id = %(id)s
returning id, channel, request_id, session_id, kind, state

-- name: cancel_others
-- One success is enough: what waits of the same answer is not needed any more.
update deliveries
   set state = 'cancelled', due_at = null, finished_at = clock_timestamp(), updated_at = clock_timestamp()
 where request_id = %(request_id)s and kind = %(kind)s and state in ('planned', 'queued', 'deferred', 'parked')
   and action_id is not distinct from %(action_id)s and id <> %(id)s and mode <> 'all'

-- name: is_undeliverable
-- Whether nothing of an answer has arrived, may have arrived, or is still open.
select not exists (
    select from deliveries
     where request_id = %(request_id)s and kind = %(kind)s and action_id is not distinct from %(action_id)s
       and id <> %(id)s and (due_at is not null or state in ('planned', 'accepted', 'delivered', 'seen', 'unknown'))
) as it

-- name: due_rank
-- What is open of the same answer when one of its deliveries has ended.
select id, channel, request_id, session_id, kind from deliveries
 where request_id = %(request_id)s and kind = %(kind)s and state = 'queued' and due_at <= clock_timestamp()
 order by rank limit 1

-- name: next_at_place
-- Whoever ends a delivery wakes the next one to the same place.
select d.id, d.channel, d.request_id, d.session_id, d.kind
  from deliveries d join requests r on r.id = d.request_id
 where d.session_id = %(session_id)s and d.address_key = %(address_key)s and d.state = 'queued'
 order by r.seq limit 1

-- name: delivery_by_provider
select id, channel from deliveries
 where channel = %(channel)s and provider_id = %(provider_id)s and state in ('accepted', 'delivered', 'unknown')
 order by created_at desc limit 1

-- name: confirm_delivery
-- It is there, or was looked at: never backwards.
update deliveries
   set state = %(level)s, finished_at = coalesce(finished_at, clock_timestamp()), updated_at = clock_timestamp(),
       due_at = null
 where id = %(id)s and state in ('accepted', 'delivered', 'unknown') and state <> %(level)s
   and not (level = 'seen' and %(level)s = 'delivered' and due_at is not null)
returning id, request_id, session_id, kind, action_id, rank, channel, address_key, also_by, mode, level

-- name: replayable
-- What went, or should have gone, to one receiver in a range of time; the oldest first.
select d.id from deliveries d
 where d.channel = %(channel)s and d.address->>'integration' = %(integration)s and d.user_id = %(user_id)s
   and d.created_at >= %(since)s and d.created_at < %(until)s and d.due_at is null and d.state <> 'planned'
   and (not %(only_failed)s or d.state not in ('delivered', 'seen'))
 order by d.created_at limit %(limit)s

-- name: mark_undeliverable
update deliveries set state = 'undeliverable' where id = %(id)s

-- name: now
select clock_timestamp() as at

-- name: request_of_delivery
select r.id, r.session_id, r.user_id, clock_timestamp() as at
  from requests r join deliveries d on d.request_id = r.id where d.id = %(id)s
