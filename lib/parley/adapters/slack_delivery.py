"""
Answers in Slack: posted part by part, each at the pace that its channel takes, and found again after a crash.

Every part that arrived is written down at once, so that whoever goes on posts only what is missing. An answer that was
streamed is finished where it stands: an update is idempotent, a post is not.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from parley.adapters.slack_api import SlackApi
from parley.channels import slack
from parley.channels.outcome import Answer, Delivered, Failed, MaybeSent, NotSent, Outcome, Retry, Sent, Unsure, Wait
from parley.channels.slack_errors import classed, passes
from parley.domain.delivery import Job

PAGES = 10  # of 200 messages each, read at most when looking for an earlier attempt
SKEW = 60.0  # seconds that Slack's clock may differ from the database's
BELIEVED, UNKNOWN = 86_400.0, 600.0  # seconds that somebody found, or not found, is believed
PATIENCE = 10.0  # seconds that a send waits for its slot; a later one is left to a later attempt


class Kept(Protocol):
    """One message as it was written down."""

    @property
    def conversation(self) -> str: ...
    @property
    def ts(self) -> str | None: ...
    @property
    def state(self) -> str: ...


class Store(Protocol):
    """What is kept beside the deliveries."""

    def of(self, job: Job) -> Mapping[int, Kept]: ...
    def keep(self, job: Job, part: int, conversation: str, ts: str) -> None: ...
    def forget(self, job: Job, part: int) -> None: ...
    def drop_start(self, job: Job) -> None: ...


class Pace(Protocol):
    """How often a place may be written to."""

    def take(self, key: str, budget: float) -> tuple[bool, float]: ...
    def hold(self, key: str, seconds: float) -> None: ...


class _Stop(Exception):
    """An outcome that ends the attempt."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(type(outcome).__name__)
        self.outcome = outcome


class SlackChannel:
    """The channel of deliver-slack. `footer` makes what stands below an answer."""

    def __init__(
        self,
        api: SlackApi,
        store: Store,
        pace: Pace,
        *,
        footer: Callable[[Job], str] = slack.small_print,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = api
        self._store = store
        self._pace = pace
        self._footer = footer
        self._clock = clock
        self._sleep = sleep
        self._people: dict[str, tuple[str | None, float]] = {}  # by e-mail: whom Slack knows, and since when we do
        self.load = api.load

    def send(self, job: Job, timeout: float) -> Sent:
        """Post what is missing of an answer."""
        until = self._clock() + timeout
        try:
            return Sent(Delivered(self._all(job, until)))
        except _Stop as stop:
            return Sent(stop.outcome)
        except NotSent as error:
            return Sent(Retry(str(error)))
        except MaybeSent as error:
            return Sent(Unsure(str(error)))

    def find(self, job: Job, timeout: float) -> Sent | None:
        """Look where the answer belongs for the parts that an earlier attempt posted; None: something is missing."""
        until = self._clock() + timeout
        try:
            kept, count = self._store.of(job), len(slack.parts(job.text))
            if len([one for one in kept.values() if one.ts]) == count:
                return None  # all of it is known: sending again finishes it and posts nothing
            found = self._found(job, until)
        except _Stop as stop:
            return Sent(stop.outcome)
        except (NotSent, MaybeSent):
            return Sent(Unsure("Slack cannot be asked whether it arrived"))
        for part, (conversation, ts) in found.items():
            self._store.keep(job, part, conversation, ts)
        return Sent(Delivered(found[0][1])) if len(found) == count else None

    def _all(self, job: Job, until: float) -> str:
        place = self._place(job, until)
        made, footer = slack.parts(job.text), self._footer(job)
        kept = self._store.of(job)
        if 0 in kept and kept[0].ts is None:
            self._store.drop_start(job)
            kept = self._store.of(job)
            self._rested(job, until)
        first = ""
        for part in range(len(made)):
            make = partial(slack.message, job, made, part, footer)
            if (known := kept.get(part)) and known.state == "posted" and known.ts:
                ts = known.ts
            elif known and known.ts:
                ts = self._finished(job, known, make, until)
            else:
                ts = self._posted(job, part, place, make, until)
            first = first or ts
        return first

    def _posted(self, job: Job, part: int, place: str, make: Callable[[str], dict[str, Any]], until: float) -> str:
        key = f"slack:{job.address.get('workspace', '')}:{place}"
        self._await_slot(key, until)
        answer, data = self._simplest(
            lambda arguments: self._call(
                until, lambda client: client.chat_postMessage(**{**arguments, "channel": place})
            ),
            make,
        )
        outcome = slack.outcome(answer)
        if isinstance(outcome, Wait):
            self._pace.hold(key, outcome.seconds)
        if not isinstance(outcome, Delivered) or not outcome.provider_id:
            raise _Stop(outcome)
        self._store.keep(job, part, str(data.get("channel") or place), outcome.provider_id)
        return outcome.provider_id

    def _finished(self, job: Job, known: Kept, make: Callable[[str], dict[str, Any]], until: float) -> str:
        """End a stream and put the whole answer in its place. Both may be done again."""
        where = {"channel": known.conversation, "ts": str(known.ts)}
        answer, _ = self._call(until, lambda client: client.chat_stopStream(**where))
        if answer.code and classed(answer.code) not in ("gone", "stopped", "content", "recipient"):
            raise _Stop(slack.outcome(answer))
        answer, _ = self._simplest(
            lambda arguments: self._call(until, lambda client: client.chat_update(**slack.update(arguments, where))),
            make,
        )
        if answer.code == "message_not_found":  # somebody has deleted it: the answer is owed all the same
            self._store.forget(job, 0)
            raise _Stop(Retry("the streamed message is gone", answer.code))
        outcome = slack.outcome(answer)
        if not isinstance(outcome, Delivered):
            raise _Stop(outcome)
        self._store.keep(job, 0, known.conversation, where["ts"])
        self._rested(job, until)
        return where["ts"]

    def _rested(self, job: Job, until: float) -> None:
        """Let no thread look as if we were at work: whoever showed the answer as it was written may have died."""
        place, thread = job.address.get("conversation"), job.address.get("thread")
        if place and thread:
            with suppress(NotSent, MaybeSent):  # the answer is there all the same
                self._call(
                    until,
                    lambda client: client.agents_sessions_setStatus(
                        channel_id=place, thread_ts=thread, status="active"
                    ),
                )

    def _simplest(
        self,
        call: Callable[[dict[str, Any]], tuple[Answer, Mapping[str, Any]]],
        make: Callable[[str], dict[str, Any]],
    ) -> tuple[Answer, Mapping[str, Any]]:
        form: str | None = slack.FORMS[0]
        while form:
            answer, data = call(make(form))
            form = slack.simpler(answer, form)
        return answer, data

    def _await_slot(self, key: str, until: float) -> None:
        left = until - self._clock()
        taken, pause = self._pace.take(key, min(PATIENCE, left / 2))
        if not taken:
            raise _Stop(Wait(max(pause, 0.1), None, "this channel has had its share"))
        if pause > 0:
            self._sleep(pause)

    def _place(self, job: Job, until: float) -> str:
        """Give where to post. A person known by e-mail alone is looked up first."""
        if place := job.address.get("conversation"):
            return str(place)
        email = str(job.address.get("email") or "")
        person, looked_up = self._people.get(email, (None, None))
        if looked_up is None or looked_up + (BELIEVED if person else UNKNOWN) < self._clock():
            answer, data = self._call(until, lambda client: client.users_lookupByEmail(email=email))
            if answer.code not in (None, "users_not_found") or answer.status != 200:
                outcome = slack.outcome(answer)  # nothing was posted: no doubt about that
                raise _Stop(Retry(outcome.reason, outcome.code) if isinstance(outcome, Unsure) else outcome)
            person = str(data["user"]["id"]) if answer.code is None else None
            self._people[email] = (person, self._clock())
        if person is None:
            raise _Stop(Failed("Slack knows nobody by this e-mail address", "users_not_found"))
        return person

    def _found(self, job: Job, until: float) -> dict[int, tuple[str, str]]:
        place = self._opened(self._place(job, until), until)
        found: dict[int, tuple[str, str]] = {}
        for messages in self._pages(job, place, until):
            found |= {part: (place, ts) for part, ts in slack.found(job, messages).items()}
        return found

    def _opened(self, place: str, until: float) -> str:
        """Give the conversation: a person's direct messages have an id of their own."""
        if not place.startswith(("U", "W")):
            return place
        answer, data = self._call(until, lambda client: client.conversations_open(users=place))
        self._check(answer)
        return str(data["channel"]["id"])

    def _pages(self, job: Job, place: str, until: float) -> Iterator[list[Mapping[str, Any]]]:
        oldest = f"{max(0.0, (job.first_attempt or 0.0) - SKEW):.6f}"
        page: dict[str, Any] = {"channel": place, "oldest": oldest, "limit": 200, "include_all_metadata": True}
        thread = job.address.get("thread")
        for _ in range(PAGES):
            arguments = {**page, **({"ts": thread} if thread else {})}
            answer, data = self._call(
                until,
                lambda client, arguments=arguments: (  # type: ignore[misc]  # mypy infers no lambda with a default
                    client.conversations_replies(**arguments) if thread else client.conversations_history(**arguments)
                ),
            )
            if answer.code == "thread_not_found":
                return
            self._check(answer)
            yield list(data.get("messages") or [])
            page["cursor"] = (data.get("response_metadata") or {}).get("next_cursor")
            if not page["cursor"]:
                return

    def _check(self, answer: Answer) -> None:
        if answer.code is None and answer.status == 200:
            return
        unknown = answer.code is not None and classed(answer.code) == "unknown"
        passing = answer.status >= 429 or unknown or passes(answer.code)
        raise _Stop(Unsure("the conversation cannot be read", answer.code or str(answer.status), final=not passing))

    def _call(self, until: float, method: Callable[[Any], Any]) -> tuple[Answer, Mapping[str, Any]]:
        return self._api.call(max(1.0, until - self._clock()), method)
