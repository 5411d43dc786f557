"""What must hold at the end of a world, whatever has happened in it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from simulation.vendors import AT_ONCE, BUY

if TYPE_CHECKING:
    from simulation.world import World

ENDED = ("failed", "expired", "undeliverable")
TOLD = ("delivered", "unknown")


class Row(NamedTuple):
    """A request."""

    id: Any
    session: Any
    seq: int
    state: str
    content: str
    error: Any
    result: Any
    answered_by: Any


def wrong(world: "World") -> list[str]:
    """Give what is wrong; nothing when all promises were kept."""
    keys = dict(
        world.ground.rows(
            "select i.key, i.request_id from public.idempotency_keys i where i.key like %s", f"w{world.number}:%"
        )
    )
    found = world.ground.rows(
        "select id, session_id, seq, state, content, error, result, answered_by from public.requests"
        " where id = any(%s) order by session_id, seq",
        list(keys.values()),
    )
    rows = [Row(*row) for row in found]
    actions = world.ground.rows(
        "select a.id, a.request_id, a.state, a.arguments->>'what', a.state = 'expired' and a.decided_at < a.expires_at,"
        " exists (select from public.deliveries d join public.delivery_attempts t on t.delivery_id = d.id"
        " where d.action_id = a.id) from public.actions a where a.request_id = any(%s)",
        [row.id for row in rows],
    )
    stolen = world.ground.rows("select what, id from sim.stolen")
    return [
        *(f"{id_} of {what} was taken from somebody who held its lease" for what, id_ in stolen),
        *_asked(world, keys, rows, actions),
        *_together(rows),
        *_sessions(world, rows, keys),
        *_deliveries(world, rows),
        *_decisions(world, actions),
        *_effects(world, rows, actions),
    ]


def _asked(world: "World", keys: dict[str, Any], rows: Sequence[Row], actions: Sequence[Any]) -> Iterator[str]:
    asked = [keys.get(f"w{world.number}:m{number}") for number in range(len(world.questions))]
    if None in asked or len(set(asked)) != len(asked):
        yield f"{len(asked)} questions became {len(set(asked) - {None})} requests"
    superseded = {request for _, request, state, *_ in actions if state == "superseded"}
    for row in rows:
        over = row.state == "cancelled" and bool({row.id, row.answered_by} & superseded)
        if row.state != "completed" and not over:
            yield f"{row.content} ended as {row.state}: {row.error}"


def _together(rows: Sequence[Row]) -> Iterator[str]:
    by_id = {row.id: row for row in rows}
    for row in rows:
        if row.answered_by:
            answering = by_id[row.answered_by]
            if (row.state, row.result) != (answering.state, answering.result):
                yield f"{row.content} and {answering.content} were answered together, and differ"
            if answering.state == "completed" and row.content.split()[0] not in answering.result["text"].split()[0]:
                yield f"{row.content} is not answered by {answering.result['text']}"


def _sessions(world: "World", rows: Sequence[Row], keys: dict[str, Any]) -> Iterator[str]:
    said = world.ground.rows(
        "select m.session_id, m.seq, m.role, m.content from public.messages m"
        " where m.session_id = any(%s) order by m.session_id, m.seq, m.role desc",
        list({row.session for row in rows}),
    )
    expected = [
        (row.session, row.seq, role) for row in rows for role in ("user", *(() if row.answered_by else ("assistant",)))
    ]
    if [line[:3] for line in said] != expected:
        yield f"the transcript is {[line[1:] for line in said]}"
    by_session: Counter[Any] = Counter()
    for session, _, role, content in said:
        if role == "assistant":
            if not content.endswith((f"after {by_session[session]}", "was not done.)")):
                yield f"answered without what was said before: {content} as number {by_session[session]}"
            by_session[session] += 1
    place = {row.id: row.seq for row in rows}
    for thread in {(q.person, q.thread) for q in world.questions}:
        numbers = [n for n, q in enumerate(world.questions) if (q.person, q.thread) == thread]
        seqs = [place[request] for n in numbers if (request := keys.get(f"w{world.number}:m{n}")) in place]
        if seqs != sorted(seqs):
            yield f"the session has the order {seqs}"


def _deliveries(world: "World", rows: Sequence[Row]) -> Iterator[str]:
    states = world.ground.rows(
        "select request_id, channel, state, id, kind, action_id from public.deliveries where request_id = any(%s)"
        " order by request_id, rank",
        [row.id for row in rows],
    )
    got = Counter(arrival.delivery_id for arrival in world.arrivals)
    for _, channel, state, delivery_id, *_ in states:
        yield from _delivery(channel, state, got[delivery_id])
    for row in rows:
        mine = [one for one in states if one[0] == row.id and one[4] == "answer"]
        if row.state == "cancelled" or row.answered_by:
            if mine:
                yield f"{row.content} has an answer of its own: {mine}"
        elif not any(one[2] in TOLD for one in mine) and not all(one[2] in ENDED for one in mine):
            yield f"nobody was told: {[one[1:3] for one in mine]}"
    about = {one[3]: one[5] or one[0] for one in states}  # an action, or the answer to a request
    firsts = set()
    for arrival in world.arrivals:
        if about.get(arrival.delivery_id) in firsts and not arrival.also_by:
            yield f"unmarked double by {arrival.channel}"
        firsts.add(about.get(arrival.delivery_id))
    yield from _places(world, {row.id: (row.session, row.seq) for row in rows})


def _delivery(channel: str, state: str, times: int) -> Iterator[str]:
    if state == "delivered" and not times:
        yield f"{channel} says delivered and nothing arrived"
    if times > 1:
        yield f"{channel} arrived {times} times"
    if times and state not in TOLD:
        yield f"{channel} arrived and is {state}"
    if state == "planned":
        yield f"{channel} is still planned"


def _places(world: "World", order: dict[Any, tuple[Any, int]]) -> Iterator[str]:
    places: dict[tuple[Any, str], list[int]] = defaultdict(list)
    for arrival in world.arrivals:
        session, seq = order[arrival.request_id]
        places[session, arrival.place].append(seq)
    yield from (f"out of order at {place}: {seqs}" for place, seqs in places.items() if seqs != sorted(seqs))


def _decisions(world: "World", actions: Sequence[Any]) -> Iterator[str]:
    given = defaultdict(set)  # what was said somewhere, whatever it was meant for
    place = {what: (q.person, q.thread) for _, _, _, what, *_ in actions if (q := world.questions[int(what[1:])])}
    for id_, _, _, what, *_ in actions:
        given[place[what]] |= world.given.get(id_, set())
    for _, _, state, what, early, tried in actions:
        if early:
            yield f"{what} expired before its time"
        if state == "superseded" and not tried:
            yield f"{what} was superseded before anybody could see it"
        if state == "open":
            yield f"{what} still waits for a decision"
        if state in ("approved", "denied") and state not in given[place[what]]:
            yield f"{what} is {state}, and nobody said so"


def _effects(world: "World", rows: Sequence[Row], actions: Sequence[Any]) -> Iterator[str]:
    approved = {what for _, _, state, what, *_ in actions if state == "approved"}
    cancelled = {row.content.split()[0] for row in rows if row.state == "cancelled"}
    for number, question in enumerate(world.questions):
        name = f"q{number}"
        for kind in set(question.tools) - {AT_ONCE}:
            count = world.effects[kind, name]
            least = 0 if kind == "never" or name in cancelled or (kind == BUY and name not in approved) else 1
            most = 1 if kind != BUY or name in approved else 0
            if AT_ONCE in question.tools and kind != BUY:
                most = max(count, 1)  # what only reads has no effect: whoever slept may read again
            if not least <= count <= most:
                yield f"{name}: {kind} took effect {count} times"
