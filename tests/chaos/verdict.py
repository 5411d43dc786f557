"""
What became of everything: decided from what the senders saw, what the rows say and what arrived. No socket here.

    lost            acknowledged to its sender, and no row knows it, or nothing that is due will ever end it, or a
                    delivery says that it was delivered and nothing arrived, or an answer tells of a ticket that is
                    not there
    open            acknowledged, and still being worked on when the run ended
    answered twice  one question has two answers, unless the second says itself that the first may have arrived by a
                    channel where nobody can be asked (e-mail); those are counted apart, as announced
    effects twice   one question is stored twice, a call with the same key gave two requests, a journaled step was
                    done again, two tickets were opened for one question
    out of order    of two questions of one conversation the second was asked after the first was acknowledged, and its
                    answer came first to the same place
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

UNREADABLE = frozenset({"email", "sms"})
TERMINAL = frozenset({"completed", "failed", "cancelled"})


@dataclass
class Told:
    """
    What the sender of one question knows, in seconds since 1970.

    `identity`: the key of a message, by which its request is found; `requests`: the ids that the API gave. `leans`: it
    does not name the app, so it is said to others unless an earlier question of its talk was accepted before.
    """

    number: int
    talk: int
    first_sent: float
    accepted_at: float | None = None
    identity: str | None = None
    requests: set[str] = field(default_factory=set)
    leans: bool = False


@dataclass(frozen=True)
class Stored:
    """
    One row of `requests`; `number` is the question's, `identity` its idempotency key; `due`: something will be done.
    """

    id: str
    number: int
    state: str
    identity: str | None
    finished_at: float | None
    due: bool = False
    effect: bool = False  # its answer tells of a ticket


@dataclass(frozen=True)
class Taken:
    """A turn was taken over `at`; its last sign of life was `seen`."""

    seen: float
    at: float


@dataclass(frozen=True)
class Sending:
    """One row of `deliveries`. `place` is its address key; `open` while something is still due."""

    id: str
    request: str
    channel: str
    place: str
    state: str
    open: bool
    finished_at: float | None
    announced: bool = False  # it says that the answer may also have arrived elsewhere


@dataclass(frozen=True)
class Arrival:
    """A message at somebody outside; `at` only gives the order within a channel."""

    delivery: str
    at: float


@dataclass(frozen=True)
class Found:
    """Everything that is judged. `steps`: how often each journaled decision was done; `harms`: from when to when."""

    told: Sequence[Told]
    stored: Sequence[Stored]
    sendings: Sequence[Sending]
    arrivals: Sequence[Arrival]
    steps: Mapping[tuple[str, str], int] = field(default_factory=dict)
    harms: Sequence[tuple[float, float]] = ()
    killed: Sequence[float] = ()  # when the process that takes turns was
    taken: Sequence[Taken] = ()
    tickets: Mapping[int, int] = field(default_factory=dict)  # how many were opened for each question


@dataclass
class Verdict:
    """The verdict; lists name the questions."""

    accepted: int
    answered: int
    lost: list[str]
    open: list[str]
    twice: list[str]
    announced: list[str]
    effects: list[str]
    disorder: list[str]
    recoveries: list[float]
    takeovers: list[float]  # seconds from the kill of a turn until another process has it
    latencies: list[float]
    requests: Counter[str]
    deliveries: Counter[tuple[str, str]]
    tickets: int = 0

    @property
    def failed(self) -> bool:
        """Whether a promise is broken."""
        return bool(self.lost or self.twice or self.effects or self.disorder)

    def broken(self) -> list[str]:
        """Give what is wrong, each with the numbers of its questions in front."""
        return [*self.lost, *self.twice, *self.effects, *self.disorder]

    def line(self) -> str:
        """Give the one line."""
        return (
            f"accepted {self.accepted} · lost {len(self.lost)}{f' · open {len(self.open)}' if self.open else ''}"
            f" · answered twice {len(self.twice)}"
            f" · effects twice {len(self.effects)} · out of order {len(self.disorder)}"
            f" · p99 recovery {quantile(self.recoveries, 0.99):.1f} s"
        )

    def bound(self) -> str:
        """Say how sure `answered twice` is: with none among n, the share is below 3/n with 95 % (rule of three)."""
        if self.twice or not self.answered:
            return f"answered twice: {len(self.twice)} of {self.answered}, no bound"
        return f"answered twice: 0 of {self.answered}, so below {3 / self.answered:.3%} with 95 % (rule of three)"


def judge(found: Found) -> Verdict:
    """Judge."""
    by_number, by_identity, by_id = defaultdict(list), {}, {}
    for row in found.stored:
        by_number[row.number].append(row)
        by_id[row.id] = row
        if row.identity:
            by_identity[row.identity] = row
    sendings = {one.id: one for one in found.sendings}
    of_request: dict[str, list[Sending]] = defaultdict(list)
    for one in found.sendings:
        of_request[one.request].append(one)
    arrived: dict[str, list[float]] = defaultdict(list)
    for arrival in found.arrivals:
        arrived[arrival.delivery].append(arrival.at)
    accepted = _promised(found.told)
    twice, announced = _twice(of_request, arrived, by_id)
    mine = {told.number: _row_of(told, by_identity, by_id) for told in accepted}
    return Verdict(
        accepted=len(accepted),
        answered=sum(1 for request in of_request.values() if any(arrived.get(one.id) for one in request)),
        lost=[*_lost(accepted, mine, of_request, arrived), *_strangers(arrived, sendings), *_untrue(found)],
        open=_open(accepted, mine, of_request),
        twice=twice,
        announced=announced,
        effects=_effects(found, by_number),
        disorder=_disorder(accepted, mine, of_request, arrived),
        recoveries=_recoveries(found.harms, accepted, mine, of_request),
        takeovers=_takeovers(found),
        latencies=[end - told.first_sent for told in accepted if (end := _end(mine[told.number], of_request))],
        requests=Counter(row.state for row in found.stored),
        deliveries=Counter((one.channel, one.state) for one in found.sendings),
        tickets=sum(found.tickets.values()),
    )


def quantile(values: Iterable[float], share: float) -> float:
    """Give the value below which this share lies; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _promised(told: Sequence[Told]) -> list[Told]:
    """Give the questions that were accepted and are ours to answer."""
    accepted = [one for one in told if one.accepted_at is not None]
    known: dict[int, float] = {}
    for one in accepted:
        if not one.leans:
            known[one.talk] = min(known.get(one.talk, math.inf), one.accepted_at or 0.0)
    return [one for one in accepted if not one.leans or known.get(one.talk, math.inf) < one.first_sent]


def _row_of(told: Told, by_identity: Mapping[str, Stored], by_id: Mapping[str, Stored]) -> Stored | None:
    if told.identity and told.identity in by_identity:
        return by_identity[told.identity]
    return next((by_id[one] for one in told.requests if one in by_id), None)


def _lost(
    accepted: Sequence[Told],
    mine: Mapping[int, Stored | None],
    of_request: Mapping[str, Sequence[Sending]],
    arrived: Mapping[str, Sequence[float]],
) -> list[str]:
    lost = []
    for told in accepted:
        row = mine[told.number]
        if row is None:
            lost.append(f"{told.number}: accepted, not stored")
        elif row.state not in TERMINAL and not row.due:
            lost.append(f"{told.number}: {row.state} ({row.id}), and nothing is due")
        else:
            lost += [
                f"{told.number}: {one.channel} delivered, nothing arrived"
                for one in of_request.get(row.id, ())
                if one.state == "delivered" and not arrived.get(one.id)
            ]
    return lost


def _open(
    accepted: Sequence[Told], mine: Mapping[int, Stored | None], of_request: Mapping[str, Sequence[Sending]]
) -> list[str]:
    rows = [(told.number, row) for told in accepted if (row := mine[told.number])]
    requests = [f"{number}: {row.state} ({row.id})" for number, row in rows if row.state not in TERMINAL and row.due]
    sendings = [f"{n}: {one.channel} {one.state}" for n, row in rows for one in of_request.get(row.id, ()) if one.open]
    return [*requests, *sendings]


def _strangers(arrived: Mapping[str, Sequence[float]], sendings: Mapping[str, Sending]) -> list[str]:
    """Something arrived that no row knows: a commit was lost."""
    return [f"arrived without a row: {one}" for one in arrived if one not in sendings]


def _untrue(found: Found) -> list[str]:
    """An answer tells of an effect that nobody can find."""
    return [f"{row.number}: its ticket" for row in found.stored if row.effect and not found.tickets.get(row.number)]


def _twice(
    of_request: Mapping[str, Sequence[Sending]],
    arrived: Mapping[str, Sequence[float]],
    by_id: Mapping[str, Stored],
) -> tuple[list[str], list[str]]:
    twice, announced = [], []
    for request, sendings in of_request.items():
        came = [(one, at) for one in sendings for at in arrived.get(one.id, ())]
        surely = [one for one, _ in came if not (one.channel in UNREADABLE and one.state == "unknown")]
        if len(came) > 1:
            number = by_id[request].number if request in by_id else request
            text = f"{number}: {' and '.join(f'{one.channel} {one.id} at {at:.3f}' for one, at in came)}"
            each_once = len({one.id for one, _ in came}) == len(came)
            is_said = each_once and len(surely) == 1 and surely[0].announced
            (announced if is_said else twice).append(text)
    return twice, announced


def _effects(found: Found, by_number: Mapping[int, Sequence[Stored]]) -> list[str]:
    stored = [f"{number}: stored {len(rows)} times" for number, rows in by_number.items() if len(rows) > 1]
    given = [
        f"{told.number}: {len(told.requests)} requests for one key" for told in found.told if len(told.requests) > 1
    ]
    done = [f"{request}: step {mark} done {count} times" for (request, mark), count in found.steps.items() if count > 1]
    opened = [f"{number}: {count} tickets" for number, count in found.tickets.items() if count > 1]
    return [*stored, *given, *done, *opened]


def _disorder(
    accepted: Sequence[Told],
    mine: Mapping[int, Stored | None],
    of_request: Mapping[str, Sequence[Sending]],
    arrived: Mapping[str, Sequence[float]],
) -> list[str]:
    places: dict[tuple[int, str], list[tuple[Told, float]]] = defaultdict(list)
    for told in accepted:
        row = mine[told.number]
        for one in of_request.get(row.id, ()) if row else ():
            if at := arrived.get(one.id):
                places[told.talk, one.place].append((told, min(at)))
    return [
        f"{second.number} before {first.number} at {place}"
        for (_, place), came in places.items()
        for first, first_at in came
        for second, second_at in came
        if (first.accepted_at or 0) < second.first_sent and second_at < first_at
    ]


def _end(row: Stored | None, of_request: Mapping[str, Sequence[Sending]]) -> float | None:
    if row is None or row.finished_at is None:
        return None
    return max([row.finished_at, *(one.finished_at for one in of_request.get(row.id, ()) if one.finished_at)])


def _recoveries(
    harms: Sequence[tuple[float, float]],
    accepted: Sequence[Told],
    mine: Mapping[int, Stored | None],
    of_request: Mapping[str, Sequence[Sending]],
) -> list[float]:
    """Give, for each question that was open while something was killed, the seconds from then to its end."""
    found = []
    for told in accepted:
        end = _end(mine[told.number], of_request)
        hit = [begun for begun, done in harms if end and told.first_sent <= done and begun < end]
        if end and hit:
            found.append(end - max(min(hit), told.first_sent))
    return found


def _takeovers(found: Found) -> list[float]:
    """Give, for each turn that was taken over after its process was killed, the seconds between."""
    hits = [(taken, [at for at in found.killed if taken.seen <= at <= taken.at]) for taken in found.taken]
    return [taken.at - min(kills) for taken, kills in hits if kills]


def excess(rows: Mapping[str, int], bounds: Mapping[str, int]) -> dict[str, int]:
    """Give the tables that hold more rows than they should, and those that nobody has thought of."""
    return {table: count for table, count in rows.items() if count > bounds.get(table, -1)}
