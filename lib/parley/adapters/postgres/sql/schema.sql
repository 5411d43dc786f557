-- name: ping
select 1 as ok

-- name: schema_version
select coalesce(max(version), 0) as version from schema_migrations
