-- name: mail_thread
-- The first question of the session, the ids of the mails that its answers went out with to this address, and whether
-- anything may be sent there.
select (select r.content from requests r where r.session_id = d.session_id order by r.seq limit 1) as opening,
       array(select e.provider_id from deliveries e
              where e.session_id = d.session_id and e.channel = 'email' and e.address_key = d.address_key
                and e.id <> d.id and e.provider_id is not null order by e.created_at) as earlier,
       (select s.reason from suppressions s where s.kind = 'email' and s.address = lower(%(address)s)) as suppressed
  from deliveries d where d.id = %(id)s

-- name: suppressed
select reason from suppressions where kind = %(kind)s and address = lower(%(address)s)

-- name: all_suppressed
select kind, address, reason, detail, created_at from suppressions
 where %(kind)s::text is null or kind = %(kind)s order by created_at desc limit %(limit)s

-- name: suppress
insert into suppressions (kind, address, reason, detail)
values (%(kind)s, lower(%(address)s), %(why)s, %(detail)s)
on conflict (kind, address) do update set reason = excluded.reason, detail = excluded.detail

-- name: lift_suppression
delete from suppressions where kind = %(kind)s and address = lower(%(address)s)

-- name: mail_of
select id from deliveries
 where channel = 'email' and (id = %(delivery_id)s or (provider_id = %(provider_id)s and %(delivery_id)s is null))

-- name: mail_bounced
-- One that still waits to be confirmed is over now, so that the next rank takes its turn; one that counted as sent is
-- shown as what it is.
update deliveries
   set reason = %(reason)s, updated_at = clock_timestamp(),
       state = case when due_at is null then 'failed' else state end,
       deadline = case when due_at is null then deadline else clock_timestamp() end,
       due_at = case when due_at is null then null else clock_timestamp() end
 where id = %(id)s and state = 'accepted'
