-- name: installation
-- A workspace's own comes before that of its organisation.
select *, coalesce(expires_at < now() + interval '2 hours', false) as is_stale, coalesce(expires_at < now(), false) as is_over
  from slack_installations where workspace = any(%(names)s)
 order by workspace = %(first)s desc limit 1

-- name: put_installation
insert into slack_installations (workspace, enterprise, bot_user, bot_token, refresh_token, expires_at, scopes)
values (%(workspace)s, %(enterprise)s, %(bot_user)s, %(token)s, %(refresh_token)s,
        now() + make_interval(secs => %(expires_in)s), %(scopes)s)
on conflict (workspace) do update
   set enterprise = excluded.enterprise, bot_user = excluded.bot_user, bot_token = excluded.bot_token,
       refresh_token = excluded.refresh_token, expires_at = excluded.expires_at, scopes = excluded.scopes,
       refresh_until = null, updated_at = now()

-- name: take_refresh
-- A refresh token works once: of many who find the token stale, one asks for a new one, outside of any transaction.
update slack_installations set refresh_until = now() + make_interval(secs => %(lease)s)
 where workspace = %(workspace)s and expires_at is not distinct from %(expires_at)s
   and (refresh_until is null or refresh_until < now())
returning workspace

-- name: stale_installations
select workspace from slack_installations
 where expires_at < now() + interval '2 hours' and refresh_token is not null and coalesce(refresh_until < now(), true)
 order by expires_at < now(), expires_at limit 100

-- name: remove_installation
delete from slack_installations where workspace = %(workspace)s
