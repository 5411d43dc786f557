-- name: insert_delivery
-- Only the first rank is due; the others wait for the one before to end without success.
insert into deliveries (id, request_id, session_id, user_id, kind, action_id, channel, rank, address, address_key, state,
                        due_at, patience, deadline)
values (%(id)s, %(request_id)s, %(session_id)s, %(user_id)s, %(kind)s, %(action_id)s, %(channel)s, %(rank)s, %(address)s,
        %(address_key)s, case when %(rank)s = 1 then 'queued' else 'planned' end,
        case when %(rank)s = 1 then clock_timestamp() end,
        %(patience)s, case when %(rank)s = 1 then clock_timestamp() + %(patience)s end)
on conflict (request_id, kind, action_id, channel, rank) do nothing

-- name: lock_session_of_delivery
-- The lock order everywhere: the session first. Whoever waited here then reads what the one before has committed, which
-- a lock on the delivery alone would not show of other tables. "no key": rows that refer to the session go on.
select s.id from sessions s
 where s.id = (select session_id from deliveries where id = %(id)s)
   for no key update

-- name: delivery_standing
-- Everything that the decision to send is made from, and all that a channel is told.
select d.*, r.content, r.result, r.error, r.traceparent, clock_timestamp() as at,
       coalesce(r.finished_at, d.created_at) as answered_at,
       coalesce(d.lease_until > clock_timestamp(), false) as leased,
       coalesce(extract(epoch from d.not_before - clock_timestamp()), 0)::float8 as early,
       coalesce(clock_timestamp() > d.deadline, false) as past_deadline,
       d.kind = 'approval' and not exists (select from actions a where a.id = d.action_id and a.state = 'open') as moot,
       (select to_jsonb(a) from actions a where a.id = d.action_id) as action,
       exists (select from deliveries e join requests q on q.id = e.request_id
                where e.session_id = d.session_id and e.address_key = d.address_key and e.due_at is not null
                  and e.id <> d.id and q.seq < r.seq) as behind,
       exists (select from delivery_attempts a
                where a.delivery_id = d.id and (a.outcome is null or a.outcome = 'unsure')) as ambiguous,
       (select extract(epoch from min(a.started_at))::float8 from delivery_attempts a where a.delivery_id = d.id)
         as first_attempt
  from deliveries d join requests r on r.id = d.request_id
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
    insert into delivery_attempts (delivery_id, epoch, started_at) select id, epoch, clock_timestamp() from taken
)
select epoch, attempt from taken

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
 where id = %(id)s and epoch = %(epoch)s and state in ('sending', 'queued', 'parked')
returning request_id, session_id, kind, action_id, rank, channel, address_key, also_by

-- name: put_back_delivery
-- Looked at again after the pause, or when its patience ends: then the next rank takes over.
update deliveries
   set state = %(state)s, reason = %(reason)s, lease_owner = null, lease_until = null,
       due_at = least(statement_timestamp() + make_interval(secs => %(pause)s), deadline),
       not_before = case when %(hold)s then statement_timestamp() + make_interval(secs => %(pause)s) end,
       updated_at = statement_timestamp()
 where id = %(id)s and epoch = %(epoch)s and state = 'sending'
returning id

-- name: promote_next_rank
-- The next rank becomes due in the transaction that ends the one before.
update deliveries
   set state = 'queued', due_at = clock_timestamp(), deadline = clock_timestamp() + patience,
       also_by = %(also_by)s, updated_at = clock_timestamp()
 where id = (select id from deliveries where request_id = %(request_id)s and kind = %(kind)s and state = 'planned'
                                         and action_id is not distinct from %(action_id)s and rank > %(rank)s order by rank limit 1)
returning id, channel, request_id, session_id, kind

-- name: cancel_planned
-- One success is enough: what was planned for later is not needed any more.
update deliveries set state = 'cancelled', finished_at = clock_timestamp(), updated_at = clock_timestamp()
 where request_id = %(request_id)s and kind = %(kind)s and state = 'planned'
   and action_id is not distinct from %(action_id)s

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
