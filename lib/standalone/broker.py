"""
The local broker: events in memory, with the rules of Knative's Kafka broker.

Every trigger has its own line of letters. A letter that is due goes to a worker thread, which posts it and judges the
answer; pauses and time-outs wait in one timer. One lock guards lines and counters, and is never held across a call of a
subscriber or the spool.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from parley.envelope import Event, to_binary
from parley.errors import Rejected, Unavailable
from standalone import rules
from standalone.lines import Letter, Parcel
from standalone.routes import Route, make_route
from standalone.rules import Outcome, Verdict
from standalone.spool import Spool
from standalone.subscribers import Subscriber
from standalone.threads import Timer, Workers
from standalone.triggers import Wiring

SPOOLED_TYPES = frozenset({"parley.message.received"})
_TYPES_COUNTED = 100
_FORGET_AGAIN = 10.0  # seconds until the spool is asked again to forget an event

Message = tuple[dict[str, str], bytes]


class Broker:
    """
    Takes events, sends each to the subscribers whose triggers it matches, and puts their replies back in.

    `scale` multiplies every pause and time-out; `copies`: how often each event is delivered, as a broker may;
    `concurrency` is how many letters of one trigger are in flight at once.
    The spool belongs to the broker, which closes it. Raises Misconfigured when a subscriber is missing.
    """

    def __init__(
        self,
        wiring: Wiring,
        subscribers: Mapping[str, Subscriber],
        spool: Spool,
        *,
        scale: float = 1.0,
        copies: int = 1,
        concurrency: int = 8,
        spooled_types: frozenset[str] = SPOOLED_TYPES,
        clock: Callable[[], float] = time.monotonic,
        log: logging.Logger = logging.getLogger("standalone.broker"),  # noqa: B008 - the same one each time
    ) -> None:
        self.wiring = wiring
        self._routes = [
            make_route(trigger, wiring.namespace, subscribers, concurrency=concurrency, scale=scale)
            for trigger in wiring.triggers
        ]
        self._spool = spool
        self._scale = scale
        self._copies = copies
        self._spooled = spooled_types
        self._clock = clock
        self._log = log
        self._changed = threading.Condition()
        self._running = False
        self._open = 0
        self._counts: Counter[str] = Counter()
        self._unmatched: Counter[str] = Counter()
        self._timer = Timer(clock)
        self._workers = Workers("broker")

    def start(self) -> None:
        """Begin to deliver, first what the spool has kept. Raises Unavailable."""
        kept = self._spool.pending()
        self._timer.start()
        with self._changed:
            self._running = True
        for event in kept:
            if routes := self._matching(event):
                self._enqueue(event, self._message(event), routes, spooled=True)
            else:
                self._note_unmatched(event)  # and it stays in the spool: nobody has acknowledged it
        with self._changed:
            self._counts["reloaded"] += len(kept)

    def stop(self, drain: float) -> None:
        """Deliver for at most `drain` seconds what is ready, but wait for no pause; then take nothing more."""
        with self._changed:
            self._changed.wait_for(lambda: not any(route.line.moving() for route in self._routes), drain)
            self._running = False
        self._timer.stop()
        self._workers.stop()
        self._spool.close()

    def accept(self, event: Event) -> None:
        """
        Take an event: when this returns, it is queued, and spooled if its type is.

        Raises Unavailable when it could not be stored or the broker does not run, Rejected when it is too large.
        """
        if len(event.body) > rules.MAX_BYTES:
            raise Rejected("the event is larger than 1 MiB")
        if not self._running:
            raise Unavailable("the broker does not run")
        routes = self._matching(event)
        message = self._message(event)
        spooled = bool(routes) and event.type in self._spooled
        if spooled:
            self._spool.add(event)
        self._enqueue(event, message, routes, spooled=spooled)
        if not routes:
            self._note_unmatched(event)

    def idle(self) -> bool:
        """Whether every accepted event is settled."""
        return self._open == 0

    def wait_idle(self, timeout: float) -> bool:
        """Wait until `idle`, at most `timeout` seconds. Returns whether that was reached."""
        with self._changed:
            return self._changed.wait_for(self.idle, timeout)

    def stats(self) -> dict[str, Any]:
        """Counts since the start, and what is open now. `abandoned` calls are still running after their time-out."""
        names = ("accepted", "reloaded", "delivered", "replies", "retries", "timeouts", "abandoned")
        with self._changed:
            counts = {name: self._counts[name] for name in (*names, "dead_lettered", "dropped")}
            return {
                **counts,
                "unmatched": dict(self._unmatched),
                "open": self._open,
                "queues": {route.trigger.name: route.depth() for route in self._routes},
            }

    def _matching(self, event: Event) -> list[Route]:
        attributes = event.attributes()
        return [route for route in self._routes if rules.matches(route.trigger.filters, attributes)]

    def _enqueue(self, event: Event, message: Message, routes: list[Route], *, spooled: bool) -> None:
        parcel = Parcel(event, spooled, len(routes) * self._copies)
        with self._changed:
            if not self._running:
                raise Unavailable("the broker does not run")
            self._counts["accepted"] += 1
            self._open += bool(routes)
            for route in routes * self._copies:
                route.line.put(Letter(parcel, event, *message))
                self._send(route)

    def _message(self, event: Event) -> Message:
        try:
            headers, body = to_binary(event)
        except UnicodeEncodeError:
            raise Rejected("an attribute is no Unicode text") from None
        headers["prefer"] = "reply"
        headers["kn-namespace"] = self.wiring.namespace
        if trace := headers.get("ce-traceparent"):
            headers["traceparent"] = trace
        return headers, body

    def _send(self, route: Route) -> None:
        """Hand what may go now to workers. The lock is held."""
        while letter := self._next(route):
            self._workers.submit(partial(self._work, route, letter, letter.attempts))

    def _next(self, route: Route) -> Letter | None:
        """Begin the next attempt, with its time-out. The lock is held."""
        letter = route.begin(self._clock()) if self._running else None
        self._watch(route)
        return letter

    def _watch(self, route: Route) -> None:
        if (deadline := route.to_watch()) is not None:
            self._timer.at(deadline, partial(self._expire, route))

    def _work(self, route: Route, letter: Letter | None, number: int) -> None:
        """Send a letter, then what has become ready behind it."""
        while letter:
            judged = self._post(route, letter)
            with self._changed:
                if not route.end(letter, number):
                    self._counts["abandoned"] -= 1
                    self._changed.notify_all()
                    return
            if judged.reply:
                judged = self._take_reply(judged.reply)
            with self._changed:
                settled = self._judge(route, letter, judged)
            if settled:
                self._close(letter.parcel)
            with self._changed:
                letter = self._next(route)
                number = letter.attempts if letter else 0
                self._send(route)
                self._changed.notify_all()

    def _post(self, route: Route, letter: Letter) -> Outcome:
        subscriber = route.dead_letter_sink if letter.dead else route.subscriber
        try:
            answer = subscriber.post(letter.headers, letter.body, route.timeout)
        except OSError:  # TimeoutError among them
            return rules.NO_ANSWER
        except Exception:  # noqa: BLE001 - whatever it is, the event must not be lost
            self._log.exception("a subscriber is broken", extra={"fields": {"trigger": route.trigger.name}})
            return rules.NO_ANSWER
        return rules.outcome(*answer)

    def _take_reply(self, reply: Event) -> Outcome:
        """Put a reply in. When that fails, the subscriber is not asked again: it has done its work."""
        try:
            self.accept(reply)
        except (Unavailable, Rejected) as error:
            fields = {"event_id": reply.id, "event_type": reply.type}
            self._log.warning("a reply was not accepted", exc_info=error, extra={"fields": fields})
            return rules.NO_EVENT
        with self._changed:
            self._counts["replies"] += 1
        return rules.ACCEPTED

    def _judge(self, route: Route, letter: Letter, judged: Outcome) -> bool:
        """Do what the outcome asks for. Returns whether the letter is settled. The lock is held."""
        delivery = route.trigger.delivery
        if judged.verdict is Verdict.ACCEPTED:
            self._counts["dead_lettered" if letter.dead else "delivered"] += 1
        elif judged.verdict is Verdict.RETRY and letter.failures < delivery.retry:
            letter.failures += 1
            self._counts["retries"] += 1
            wait = rules.pause(delivery.policy, delivery.delay, letter.failures) * self._scale
            route.line.rest()
            self._timer.at(self._clock() + wait, partial(self._resume, route, letter))
            return False
        elif not letter.dead:
            self._bury(route, letter, judged)
            return False
        else:
            self._drop(route, letter, judged)
        route.line.done(letter)
        return True

    def _bury(self, route: Route, letter: Letter, judged: Outcome) -> None:
        """Address the letter to the dead-letter sink; its place in the line stays its own. The lock is held."""
        letter.event = rules.dead_letter(letter.event, route.destination, judged.code, judged.body, judged.headers)
        letter.headers, letter.body = self._message(letter.event)
        letter.dead, letter.failures = True, 0
        route.line.rest()
        route.line.resume(letter)

    def _drop(self, route: Route, letter: Letter, judged: Outcome) -> None:
        self._counts["dropped"] += 1
        letter.parcel.kept = letter.parcel.spooled
        event = letter.event
        fields = {"event_id": event.id, "event_type": event.type, "trigger": route.trigger.name, "status": judged.code}
        self._log.error("a dead letter could not be delivered and is dropped", extra={"fields": fields})

    def _resume(self, route: Route, letter: Letter) -> None:
        with self._changed:
            route.line.resume(letter)
            self._send(route)

    def _expire(self, route: Route) -> None:
        """Count attempts whose time is up as failed; their calls go on, and what they answer is ignored."""
        with self._changed:
            route.watched = False
            late = route.expire(self._clock())
            self._counts["timeouts"] += len(late)
            self._counts["abandoned"] += len(late)
            dropped = [letter for letter in late if self._judge(route, letter, rules.NO_ANSWER)]
            self._send(route)
            self._watch(route)
            self._changed.notify_all()
        for letter in dropped:
            self._close(letter.parcel)

    def _close(self, parcel: Parcel) -> None:
        """One trigger has settled the event; after the last one it leaves the spool."""
        with self._changed:
            parcel.owed -= 1
            if parcel.owed:
                return
        if parcel.spooled and not parcel.kept:
            self._forget(parcel.event)
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def _forget(self, event: Event) -> None:
        """
        Take a settled event out of the spool; later, when the spool is away.

        What is still there at the end comes again at the next start, and whoever has acknowledged it will do so again.
        """
        try:
            self._spool.remove(event)
        except Unavailable as error:
            fields = {"event_id": event.id, "event_type": event.type}
            self._log.warning("an event stays in the spool for now", exc_info=error, extra={"fields": fields})
            again = partial(self._workers.submit, partial(self._forget, event))
            self._timer.at(self._clock() + _FORGET_AGAIN * self._scale, again)

    def _note_unmatched(self, event: Event) -> None:
        with self._changed:
            known = event.type in self._unmatched
            kind = event.type if known or len(self._unmatched) < _TYPES_COUNTED else "(other)"
            first = kind not in self._unmatched
            self._unmatched[kind] += 1
        if first:
            self._log.warning("no trigger takes this type", extra={"fields": {"event_type": kind}})
