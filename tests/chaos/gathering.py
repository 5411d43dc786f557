"""What is found afterwards: the rows, and what arrived outside."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from chaos.script import Script
from chaos.verdict import Arrival, Found, Sending, Stored, Taken, Told
from devkit.mailbox import Mailbox
from devkit.receiver import WebhookReceiver
from devkit.slack import SlackStandIn

NUMBER = re.compile(r"\[chaos (\d+)\]")

# `nudges` begins again with each attempt; so the database itself counts them, each with its request. It also writes
# down when a turn was taken over from a process that no longer renewed its lease.
COUNTED = """
create table chaos_nudges (request_id uuid not null);
create function chaos_nudged() returns trigger language plpgsql security definer as $$ begin
    insert into chaos_nudges values ((to_jsonb(new) ->> tg_argv[0])::uuid);
    return null;
end $$;
create trigger chaos_nudged after update of nudges on requests
    for each row when (new.nudges > old.nudges) execute function chaos_nudged('id');
create trigger chaos_nudged after update of nudges on deliveries
    for each row when (new.nudges > old.nudges) execute function chaos_nudged('request_id');
create table chaos_taken (seen timestamptz not null, at timestamptz not null);
create function chaos_taken() returns trigger language plpgsql security definer as $$ begin
    insert into chaos_taken values (old.updated_at, clock_timestamp());
    return null;
end $$;
create trigger chaos_taken after update of epoch on requests
    for each row when (new.epoch > old.epoch and old.state = 'running') execute function chaos_taken();
insert into desk_employees (email, name, region, country, role)
    select 'person' || n || '@example.com', 'Person ' || n, 'EMEA', 'France', 'design' from generate_series(0, 99) n;
"""
OPEN = (
    "select (select count(*) from requests where due_at is not null)"
    " + (select count(*) from deliveries where due_at is not null) + (select count(*) from spool)"
)

_STORED = """
select r.id::text, r.content, r.state, k.key, extract(epoch from r.finished_at)::float8 as finished_at,
       r.due_at is not null as due, coalesce(r.result ->> 'text', '') ~ 'INC[0-9]+' as effect
  from requests r left join idempotency_keys k on k.request_id = r.id
"""
_SENDINGS = """
select id::text, request_id::text, channel, address_key, state, due_at is not null or state = 'planned',
       extract(epoch from finished_at)::float8, also_by <> '{}'
  from deliveries
"""
_STEPS = "select request_id::text, fingerprint, count(*) from steps where state = 'done' group by 1, 2"
_TESTED = """
select delivery_id::text, extract(epoch from finished_at)::float8 from delivery_attempts
 where outcome = 'delivered' and sent is not null
"""
_TICKETS = "select summary, count(*) from desk_tickets group by summary"
_LEFT = """
select 'request ' || id, state, epoch, nudges, round(extract(epoch from due_at - now())), error::text
  from requests where due_at is not null
union all
select channel || ' ' || id, state, epoch, nudges, round(extract(epoch from due_at - now())), reason
  from deliveries where due_at is not null
union all
select 'spooled ' || id, 'accepted', 0, 0, 0, null from spool
"""
_STORY = """
with asked as (select *, substring(content from '[[]chaos ([0-9]+)[]]')::int as number from requests)
select to_char(at at time zone 'UTC', 'HH24:MI:SS.MS'), number, said from (
    select number, created_at as at, format('stored in session %%s as number %%s', session_id, seq) as said from asked
    union all
    select number, finished_at, format('%%s after epoch %%s: %%s', state, epoch, error) from asked
    union all
    select number, d.finished_at, format('%%s %%s to %%s: %%s %%s', d.channel, left(d.id::text, 8), address_key,
                                       d.state, reason)
      from deliveries d join asked r on r.id = d.request_id
    union all
    select number, a.started_at, format('%%s %%s: attempt %%s begun', d.channel, left(d.id::text, 8), a.epoch)
      from delivery_attempts a join deliveries d on d.id = a.delivery_id join asked r on r.id = d.request_id
    union all
    select number, a.finished_at,
           format('%%s %%s: attempt %%s: %%s %%s', d.channel, left(d.id::text, 8), a.epoch, a.outcome, a.reason)
      from delivery_attempts a join deliveries d on d.id = a.delivery_id join asked r on r.id = d.request_id
) told where number = any(%(numbers)s) and at is not null order by at
"""
_TAKEN = "select extract(epoch from seen)::float8, extract(epoch from at)::float8 from chaos_taken"
_NUDGES = """
select (select count(*) from requests), count(*), coalesce(max(n), 0)
  from (select request_id, count(*) as n from chaos_nudges group by request_id) counted, generate_series(1, n)
"""


@dataclass(frozen=True)
class Nudges:
    """How often the sweeper nudged for a request."""

    mean: float
    most: int


class Books:
    """Reads the installation's database."""

    def __init__(self, url: str) -> None:
        self._url = url

    def rows(self, query: Any, **values: Any) -> list[tuple[Any, ...]]:
        """Run a query on a connection of its own: the one before may have been killed."""
        with psycopg.connect(self._url, autocommit=True, connect_timeout=3) as connection:
            return connection.execute(query, values or None).fetchall()

    def prepare(self) -> None:
        """Let nudges be counted."""
        with psycopg.connect(self._url) as connection:
            connection.execute(COUNTED)

    def counts(self, query: str) -> tuple[int, ...] | None:
        """Give one row of numbers; None while the database is away."""
        try:
            return tuple(self.rows(query)[0])
        except psycopg.Error:
            return None

    def found(
        self,
        told: Sequence[Told],
        harms: Sequence[tuple[float, float]],
        killed: Sequence[float],
        slack: SlackStandIn,
        hook: WebhookReceiver,
        mail: Mailbox,
    ) -> Found:
        """Give everything that is judged."""
        stored = [
            Stored(id_, int(number[1]), state, key, at, due, effect)
            for id_, content, state, key, at, due, effect in self.rows(_STORED)
            if (number := NUMBER.search(content))
        ]
        sendings = [Sending(*row) for row in self.rows(_SENDINGS)]
        arrivals = [*_in_slack(slack), *_by_webhook(hook), *_by_mail(mail), *(Arrival(*r) for r in self.rows(_TESTED))]
        steps = {(request, mark): count for request, mark, count in self.rows(_STEPS)}
        taken = [Taken(*row) for row in self.rows(_TAKEN)]
        tickets = {int(found[1]): n for summary, n in self.rows(_TICKETS) if (found := NUMBER.search(summary))}
        return Found(told, stored, sendings, arrivals, steps, harms, killed, taken, tickets)

    def left(self) -> list[str]:
        """Say what is still open: what, its state, how often it was taken and nudged, when it is due, and why."""
        return [
            f"{what}: {state}, epoch {epoch}, {nudges} nudges, due in {due} s{f', {why}' if why else ''}"
            for what, state, epoch, nudges, due, why in self.rows(_LEFT)
        ]

    def story(self, numbers: Sequence[int]) -> list[str]:
        """Tell what became of these questions, by the rows."""
        return [f"{at} question {number} {said}" for at, number, said in self.rows(_STORY, numbers=list(numbers))]

    def tables(self) -> dict[str, int]:
        """Count the rows of every table."""
        names = self.rows("select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace")
        count = sql.SQL("select count(*) from {}")
        return {name: self.rows(count.format(sql.Identifier(name)))[0][0] for (name,) in sorted(names)}

    def nudges(self) -> Nudges:
        """Count the nudges."""
        [(requests, all_, most)] = self.rows(_NUDGES)
        return Nudges(all_ / max(requests, 1), most)


def bounds(script: Script, before: Mapping[str, int], rows: Mapping[str, int], people: int, met: int) -> dict[str, int]:
    """
    Say how many rows a table may hold, from what was asked and what was done to it; any other: as many as `before`.

    `met`: faults and kills; each costs an attempt or a few, and an event or a few that end as dead letters.
    """
    asked = script.questions + 1
    return {
        **before, "requests": asked, "sessions": asked, "idempotency_keys": asked, "messages": 2 * rows["requests"],
        "steps": 4 * rows["requests"], "request_events": 30 * rows["requests"], "deliveries": 3 * rows["requests"],
        "delivery_attempts": rows["deliveries"] + 16 * met, "dead_letters": 16 * met, "spool": 0, "heartbeats": 3,
        "users": people, "user_identities": 3 * people, "rate_limits": 1, "token_usage": 2 * people,
        "slack_messages": 4 * rows["requests"], "circuits": 8, "paces": 2 * people,
        "suppressions": people, "desk_tickets": asked, "desk_effects": asked,
        "api_keys": before["api_keys"] + met,  # a start prints a link to sign in by, which dies by itself
        "chaos_nudges": 40 * rows["requests"], "chaos_taken": rows["requests"] + 16 * met,
    }  # fmt: skip


def _in_slack(slack: SlackStandIn) -> list[Arrival]:
    said = (message for message in slack.messages(from_bot=True) if "metadata" in message)
    return [Arrival(one["metadata"]["event_payload"]["key"], float(one["ts"])) for one in said]


def _by_webhook(hook: WebhookReceiver) -> list[Arrival]:
    """A receiver knows a webhook that comes again by its id."""
    taken: dict[str, float] = {}
    for one in hook.requests():
        if one.verdict == "valid" and one.answer == "200":
            taken.setdefault(one.headers["webhook-id"], one.at)
    return [Arrival(id_, at) for id_, at in taken.items()]


def _by_mail(mail: Mailbox) -> list[Arrival]:
    names = (str(one.message["Message-ID"]).strip("<>").partition("@")[0] for one in mail.mails())
    return [Arrival(name, number) for number, name in enumerate(names)]
