-- name: user_by_identity
-- Who this is, when we have met.
select user_id from user_identities where kind = %(kind)s and value = %(value)s

-- name: identity_of_token
select user_id, role from user_identities where kind = 'api' and value = %(value)s

-- name: set_identity_role
update user_identities set role = %(role)s where kind = 'api' and value = %(value)s

-- name: user_identity
select email, groups from users where id = %(user_id)s

-- name: insert_user
-- Two at once: the second finds the first's row.
insert into users (id, email, display_name, timezone)
values (%(id)s, %(email)s, %(display_name)s, %(timezone)s)
on conflict (email) do update set display_name = coalesce(nullif(users.display_name, ''), excluded.display_name)
returning id

-- name: insert_identity
insert into user_identities (kind, value, user_id) values (%(kind)s, %(value)s, %(user_id)s)
on conflict (kind, value) do nothing

-- name: plan_inputs
-- What a delivery plan needs to know of the user.
select u.email, u.timezone, u.quiet_from, u.quiet_until,
       coalesce((select jsonb_agg(jsonb_build_object('id', i.id, 'channel', i.channel, 'enabled', i.enabled,
                                                     'rank', i.rank, 'config', i.config, 'level', i.level,
                                                     'patience_seconds', i.patience_seconds,
                                                     'trouble', e.disabled_reason) order by i.channel)
                   from user_integrations i left join endpoints e on e.integration_id = i.id
                  where i.user_id = u.id), '[]') as overrides,
       coalesce((select jsonb_object_agg(s.kind || ':' || s.address, 'suppressed: ' || replace(s.reason, '_', ' '))
                   from suppressions s
                  where (s.kind, s.address) in (
                      select 'email', lower(u.email)
                      union all select 'email', lower(i.config->>'address') from user_integrations i where i.user_id = u.id
                      union all select 'sms', i.config->>'number' from user_integrations i where i.user_id = u.id)), '{}')
         as suppressed,
       coalesce((select jsonb_agg(n.value order by n.created_at)
                   from user_identities n where n.user_id = u.id and n.kind = 'slack'), '[]') as slack
  from users u where u.id = %(user_id)s

-- name: quiet_hours
select to_char(quiet_from, 'HH24:MI') as quiet_from, to_char(quiet_until, 'HH24:MI') as quiet_until, timezone
  from users where id = %(user_id)s

-- name: set_quiet_hours
update users set quiet_from = %(begin)s::time, quiet_until = %(until)s::time, timezone = coalesce(%(timezone)s, timezone)
 where id = %(user_id)s
