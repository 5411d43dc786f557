-- name: timeline_request
select id, session_id, user_id, asked_by, source, state, attempt, epoch, step, nudges, lease_owner, agent_revision, usage,
       created_at, started_at, finished_at, deadline, due_at, erased_at, clock_timestamp() as at
  from requests where id = %(id)s

-- name: timeline_events
-- Without words of an answer: what was said is not for everybody who may see that it was.
select seq, type, case when type = 'status' then data->>'status' end as status, data->>'kind' as kind,
       data->>'name' as name, data->>'tool' as tool, data->>'state' as state, (data->>'step')::int as step, created_at
  from request_events
 where request_id = %(id)s and type in ('status', 'step', 'tool_call', 'requires_action', 'completed', 'failed', 'cancelled')
 order by seq limit 2000

-- name: timeline_texts
-- For each step when its words began and ended.
select (data->>'step')::int as step, min(created_at) as began, max(created_at) as ended from request_events
 where request_id = %(id)s and type = 'text' group by 1 order by 1

-- name: timeline_steps
select step, kind, state, epoch, started_at, finished_at, usage from steps where request_id = %(id)s order by step limit 500

-- name: timeline_actions
select id, step, tool, risk, state, created_at, decided_at, expires_at from actions where request_id = %(id)s order by created_at

-- name: timeline_deliveries
select id, kind, channel, rank, state, attempt, nudges, reason, created_at, due_at, finished_at, deadline
  from deliveries where request_id = %(id)s order by created_at, rank

-- name: timeline_attempts
select a.delivery_id, a.epoch, a.started_at, a.finished_at, a.outcome, a.reason, a.code, a.latency_ms
  from delivery_attempts a join deliveries d on d.id = a.delivery_id
 where d.request_id = %(id)s order by a.started_at

-- name: metrics_requests
-- For each span of time: how many were asked, how they ended, and how long it took from the question to the answer.
-- Ids sort by time: only the rows since `first` are read.
with counted as (
    select date_bin(make_interval(secs => %(span)s), created_at, 'epoch') as at, count(*)::int as asked,
           count(*) filter (where state = 'completed')::int as completed,
           count(*) filter (where state = 'failed')::int as failed,
           count(*) filter (where state = 'cancelled')::int as cancelled,
           (percentile_cont(0.5) within group (order by extract(epoch from finished_at - created_at)::float8)
                filter (where state = 'completed')) as p50,
           (percentile_cont(0.95) within group (order by extract(epoch from finished_at - created_at)::float8)
                filter (where state = 'completed')) as p95
      from requests where id >= %(first)s group by 1
)
select b.at, coalesce(c.asked, 0) as asked, coalesce(c.completed, 0) as completed, coalesce(c.failed, 0) as failed,
       coalesce(c.cancelled, 0) as cancelled, c.p50, c.p95
  from (select date_bin(make_interval(secs => %(span)s), clock_timestamp(), 'epoch')
               - make_interval(secs => %(span)s) * n as at from generate_series(0, %(spans)s - 1) as n) as b
  left join counted c on c.at = b.at
 order by b.at

-- name: metrics_deliveries
select channel, outcome, count(*)::int as count,
       (percentile_cont(0.5) within group (order by latency_ms))::float8 as p50
  from delivery_attempts a join deliveries d on d.id = a.delivery_id
 where a.started_at >= clock_timestamp() - make_interval(secs => %(seconds)s) and outcome is not null
 group by channel, outcome order by channel, outcome

-- name: metrics_now
select (select count(*) from requests where due_at is not null and state = 'queued')::int as queued,
       (select count(*) from requests where due_at is not null and state = 'running')::int as running,
       (select count(*) from requests where due_at is not null and state = 'requires_action')::int as waiting,
       (select count(*) from deliveries where due_at is not null)::int as deliveries,
       (select count(*) from dead_letters where closed_at is null and replayed_at is null)::int as dead_letters,
       (select count(*) from escalations where state = 'open')::int as escalations

-- name: metrics_votes
select count(*) filter (where rating = 'up')::int as up, count(*) filter (where rating = 'down')::int as down
  from request_feedback where updated_at >= clock_timestamp() - make_interval(secs => %(seconds)s)

-- name: metrics_reasons
select reason, count(*)::int as count from request_feedback
 where rating = 'down' and reason is not null and updated_at >= clock_timestamp() - make_interval(secs => %(seconds)s)
 group by reason order by count(*) desc, reason limit 10
