"""
Protections that can be switched off, one at a time: the simulation must notice each.

A mutation that goes unnoticed is a protection that nothing proves, or one that is not needed.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from parley.adapters.postgres import database
from parley.adapters.postgres.actions import Actions
from parley.calls import Calls
from parley.domain import turn


@dataclass(frozen=True)
class Mutation:
    """
    In the query `query`, `old` becomes `new`; or `patch` replaces an attribute: (object, name, value).

    `near`: what only two faults show, at points whose names begin like these. `late`: what only a message shows that
    comes late, while something else pauses. `shown`: the number of the world that showed it last time,
    which is tried first; when it does not show it any more, all are tried, which takes minutes.
    """

    name: str
    query: str = ""
    old: str = ""
    new: str = ""
    near: tuple[str, ...] = ()
    late: bool = False
    special: bool = False  # shown by worlds with decisions and with sets: they come first
    shown: int = 0
    patch: tuple[Any, str, Callable[..., Any]] | None = None

    @contextmanager
    def off(self) -> Iterator[None]:
        """Switch the protection off."""
        if self.patch:
            owner, name, value = self.patch
            original = getattr(owner, name)
            setattr(owner, name, value)
            try:
                yield
            finally:
                setattr(owner, name, original)
            return
        original_queries: Mapping[str, Any] = database.queries()
        text = original_queries[self.query]
        assert self.old in text, f"{self.query} has changed: {self.name} switches nothing off"
        changed = {**original_queries, self.query: text.replace(self.old, self.new)}
        original = database.queries
        database.queries = lambda: changed  # type: ignore[assignment]
        try:
            yield
        finally:
            database.queries = original


def _decide_anything(self: Actions, action_id: UUID, user_id: UUID, *, digest: str, approve: bool) -> Any:
    seen = self._database.row("action_of", id=action_id)
    return _decide(self, action_id, user_id, digest=seen["digest"] if seen else digest, approve=approve)


_decide = Actions.decide

MUTATIONS = [
    Mutation("fence of the answer", "complete_request", "and epoch = %(epoch)s and state = 'running'", shown=94),
    Mutation("fence of a step", "journal_step", "and epoch = %(epoch)s and step = %(step)s and state = 'running'",
             shown=41),
    Mutation("fence of an intent", "intend_step", "and epoch = %(epoch)s and step = %(step)s and state = 'running'",
             shown=67),
    Mutation("lease of a turn", "standing", "coalesce(r.lease_until > clock_timestamp(), false)", "false", shown=39),
    Mutation("order of a session", "standing", "and e.due_at is not null", "and false"),
    Mutation("identity of a message", "take_key", "values (%(principal)s, %(route)s, %(key)s,",
             "values (%(principal)s, %(route)s, %(key)s || gen_random_uuid(),"),
    Mutation("sweep of requests", "overdue_requests", "where due_at < clock_timestamp()", "where false", shown=19),
    Mutation("sweep of deliveries", "overdue_deliveries", "where d.due_at < clock_timestamp()", "where false",
             shown=111),
    Mutation("reuse of the journal", "journaled", "where request_id = %(id)s", "where request_id = %(id)s and false",
             shown=76),
    Mutation("intents of tools", "journaled", "where request_id = %(id)s",
             "where request_id = %(id)s and state = 'done'", shown=143),
    Mutation("wake before a tool", patch=(Calls, "_was_asleep", lambda *_: False), shown=140),
    Mutation("fence of a delivery", "end_delivery",
             "and epoch = %(epoch)s and state in ('sending', 'queued', 'parked', 'deferred', "
             "'accepted')", near=("send", "deliveries.record"), shown=545),
    Mutation("lease of a delivery", "delivery_standing", "coalesce(d.lease_until > clock_timestamp(), false)", "false",
             shown=226),
    Mutation("order at a place", "delivery_standing", "and e.id <> d.id and q.seq < r.seq)", "and false)"),
    Mutation("doubt about an attempt", "delivery_standing",
             "and (a.outcome is null or a.outcome = 'unsure'))", "and false)", shown=234),
    Mutation("the next rank", "next_planned", "and d.rank > %(rank)s", "and false", shown=230),
    Mutation("one success is enough", "cancel_others", "and state in (", "and false and state in ("),
    Mutation("stable keys of effects", patch=(turn.Turn, "journaled", lambda self, mark: next(
        (step for step in self.journal.values() if step.fingerprint == mark and not step.started), None)), shown=143),
    Mutation("what was shown is what is decided", special=True, patch=(Actions, "decide", _decide_anything)),
    Mutation("nobody has seen it yet", "awaited_action",
             "not exists (select from deliveries d where d.action_id = a.id)", "true", late=True, shown=12),
    Mutation("a turn waits for its decision", "standing", "r.state = 'requires_action' and not", "false and not",
             special=True),
    Mutation("a decision is a step", "settle_action", "from settled s join freed f on f.id = s.request_id",
             "from settled s join freed f on false", special=True),
    Mutation("what was superseded is not decided any more", "close_action", "and state = 'open'", "and false",
             special=True),
    Mutation("the message that decides is known again", "key_answers", "and key = %(key)s", "and false", special=True),
    Mutation("a set ends as one", "end_set", "and due_at is not null", "and false", special=True),
    Mutation("a set does not wait for itself", "standing", "and e.answered_by is distinct from r.id", "", special=True,
             shown=431),
]  # fmt: skip
