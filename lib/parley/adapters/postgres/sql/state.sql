-- name: what_is_owed
-- What is owed now, as gauges: name, labels, value. By the partial indexes of what is open; what nothing is open of is 0.
with open_requests as (
    select state, created_at, due_at from requests where due_at is not null
), open_deliveries as (
    select channel, state, created_at, due_at from deliveries where due_at is not null
), now as materialized (
    select clock_timestamp() as at
)
select 'parley_requests_open' as name, jsonb_build_object('state', s) as labels, count(r.state)::float8 as value
  from unnest(array['queued', 'running', 'requires_action']) as s left join open_requests r on r.state = s group by s
union all
select 'parley_requests_oldest_age_seconds', jsonb_build_object('state', s),
       coalesce(extract(epoch from max(now.at - r.created_at)), 0)::float8
  from now cross join unnest(array['queued', 'running', 'requires_action']) as s left join open_requests r on r.state = s group by s
union all
select 'parley_requests_recent', jsonb_build_object('state', s), count(r.id)::float8
  from unnest(array['queued', 'running', 'requires_action', 'completed', 'failed', 'cancelled']) as s
  left join requests r on r.state = s and r.id >= %(recent)s group by s
union all
select 'parley_deliveries_open', jsonb_build_object('channel', channel, 'state', state), count(*)::float8
  from open_deliveries group by channel, state
union all
select 'parley_deliveries_oldest_age_seconds', jsonb_build_object('channel', channel),
       extract(epoch from max(now.at - created_at))::float8
  from now, open_deliveries where state not in ('accepted', 'deferred') group by channel
union all
select 'parley_overdue', jsonb_build_object('kind', k), count(o.kind)::float8
  from now cross join unnest(array['request', 'delivery']) as k
  left join (select 'request' as kind, due_at from open_requests
             union all select 'delivery', due_at from open_deliveries) o on o.kind = k and o.due_at < now.at
 group by k
union all
select 'parley_overdue_age_seconds', jsonb_build_object('kind', k),
       coalesce(extract(epoch from max(now.at - o.due_at)), 0)::float8
  from now cross join unnest(array['request', 'delivery']) as k
  left join (select 'request' as kind, due_at from open_requests
             union all select 'delivery', due_at from open_deliveries) o on o.kind = k and o.due_at < now.at
 group by k
union all
select 'parley_dead_letters_open', '{}', count(*)::float8
  from dead_letters where replayed_at is null and closed_at is null
union all
select 'parley_heartbeat_age_seconds', jsonb_build_object('name', name),
       extract(epoch from now.at - beat_at)::float8 from now, heartbeats
union all
select 'parley_circuit_open', jsonb_build_object('circuit', kind), count(*)::float8
  from (select split_part(name, ':', 1) as kind from circuits where until is not null) c group by kind
union all
select 'parley_tokens_today', jsonb_build_object('direction', d),
       coalesce(sum(case d when 'input' then input_tokens else output_tokens end), 0)::float8
  from unnest(array['input', 'output']) as d
  left join token_usage on day = (clock_timestamp() at time zone 'utc')::date group by d
union all
select 'parley_cost_today', '{}', coalesce(sum(cost), 0)::float8
  from token_usage where day = (clock_timestamp() at time zone 'utc')::date
union all
select 'parley_database_size_bytes', '{}', pg_database_size(current_database())::float8
union all
select 'parley_database_connections', jsonb_build_object('of', 'used'), count(*)::float8
  from pg_stat_activity where datname = current_database()
union all
select 'parley_database_connections', jsonb_build_object('of', 'allowed'), current_setting('max_connections')::float8
order by 1, 2
