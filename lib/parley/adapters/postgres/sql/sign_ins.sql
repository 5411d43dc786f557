-- name: insert_sign_in
insert into api_keys (id, prefix, digest, user_id, role, name, scopes, expires_at, kind, parent)
values (%(id)s, %(prefix)s, %(digest)s, %(user_id)s, %(role)s, 'web page', %(scopes)s,
        now() + make_interval(secs => %(seconds)s), %(kind)s, %(parent)s)

-- name: session_by_prefix
-- It ends with the key that opened it.
select s.id, s.digest, s.user_id, s.role, s.scopes from api_keys s left join api_keys p on p.id = s.parent
 where s.prefix = %(prefix)s and s.kind = 'session' and s.revoked_at is null and s.expires_at > now()
   and p.revoked_at is null and (p.expires_at is null or p.expires_at > now())

-- name: take_link
-- Of two at once one gets it.
delete from api_keys
 where prefix = %(prefix)s and digest = %(digest)s and kind = 'link' and expires_at > now()
returning user_id, role

-- name: delete_session
delete from api_keys where prefix = %(prefix)s and digest = %(digest)s and kind = 'session'
