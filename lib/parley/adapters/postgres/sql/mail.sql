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

-- name: suppress
insert into suppressions (kind, address, reason, detail)
values (%(kind)s, lower(%(address)s), %(why)s, %(detail)s)
on conflict (kind, address) do update set reason = excluded.reason, detail = excluded.detail

-- name: lift_suppression
delete from suppressions where kind = %(kind)s and address = lower(%(address)s)
