"""Who asks: people in Slack, with Slack's own retries, and programs over HTTP, which repeat a call that has a key."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

from chaos.script import Question, Talk
from chaos.verdict import Told
from devkit.installation import Installation
from devkit.slack import BOT_USER, TEAM, SlackStandIn, deliver
from devkit.slack_events import RETRIES

PERSISTENT = 60.0  # seconds that a program repeats a call for


class Senders:
    """
    Plays the talks of a script, each in a thread of its own. `told` is what the senders know, by question.

    `pace` shortens Slack's pauses before its retries, which are 0, 60 and 300 seconds.
    """

    def __init__(
        self, parley: Installation, slack: SlackStandIn, people: list[str], rooms: list[str], *, pace: float
    ) -> None:
        self.told: dict[int, Told] = {}
        self.counts: Counter[str] = Counter()
        self._parley = parley
        self._slack = slack
        self._people = people
        self._rooms = rooms
        self._pace = pace
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._http = httpx.Client(timeout=40, trust_env=False, limits=httpx.Limits(max_connections=None))

    def play(self, talks: tuple[Talk, ...], since: float, stopped: threading.Event) -> None:
        """Begin each talk at its time, and wait until everybody has said everything."""
        for talk in talks:
            if stopped.wait(max(0.0, since + talk.at - time.monotonic())):
                return
            self._go(self._in_slack if talk.way == "slack" else self._over_http, talk)
        while self._threads:
            self._threads.pop().join()
        self._http.close()

    def _go(self, what: Callable[..., None], *arguments: Any) -> threading.Thread:
        thread = threading.Thread(target=what, args=arguments, daemon=True)
        thread.start()
        with self._lock:
            self._threads.append(thread)  # started: whoever finds it there waits for it
        return thread

    def _begin(self, question: Question, talk: Talk) -> Told:
        told = Told(question.number, talk.number, time.time())
        with self._lock:
            self.told[question.number] = told
            self.counts["asked"] += 1
        return told

    def _accepted(self, told: Told) -> None:
        with self._lock:
            if told.accepted_at is None:
                told.accepted_at = time.time()
                self.counts["accepted"] += 1

    def _note(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    # Slack

    def _in_slack(self, talk: Talk) -> None:
        person = self._people[talk.person]
        room = person if talk.room < 0 else self._rooms[talk.room]
        thread: str | None = None
        before: list[threading.Thread] = []
        for question in talk.questions:
            if question.waits:
                for one in before:
                    one.join()
            time.sleep(question.after)
            text = f"<@{BOT_USER}> {question.text}" if question.mention else question.text
            ts = self._slack.say(room, person, text, thread_ts=thread)
            thread = thread or (ts if talk.room >= 0 else None)
            payloads = self._slack.events_for(ts)
            told = self._begin(question, talk)
            told.leans = talk.room >= 0 and not question.mention
            told.identity = f"slack:{TEAM}:{payloads[0]['event']['channel']}:{ts}"
            before = [self._go(self._send_event, told, payload) for payload in payloads]

    def _send_event(self, told: Told, payload: dict[str, Any]) -> None:
        reason = None
        for number, pause in enumerate((0.0, *RETRIES)):
            time.sleep(pause * self._pace)
            attempt = deliver(self._parley.slack_url, payload, self._slack.signing_secret, number, reason)
            if attempt.reason is None:
                self._accepted(told)
                return
            reason = attempt.reason
            self._note("Slack's retries")
        self._note("given up by Slack")

    # HTTP

    def _over_http(self, talk: Talk) -> None:
        session: str | None = None
        for question in talk.questions:
            time.sleep(question.after)
            body: dict[str, Any] = {"content": question.text}
            if session:
                body["session_id"] = session
            if talk.channels:
                body["delivery"] = {"channels": list(talk.channels)}
            told = self._begin(question, talk)
            answer = self._call(question, body)
            if answer is None:
                self._note("given up over HTTP")
                if session is None:
                    return
                continue
            session = answer["session_id"]
            told.requests.add(answer["request_id"])
            self._accepted(told)
            for _ in range(question.again if question.key else 0):
                if repeated := self._post(question, body):
                    told.requests.add(repeated["request_id"])
                    self._note("repeated over HTTP")

    def _call(self, question: Question, body: dict[str, Any]) -> dict[str, Any] | None:
        until = time.monotonic() + PERSISTENT
        while True:
            if answer := self._post(question, body):
                return answer
            if not question.key or time.monotonic() > until:
                return None
            self._note("HTTP retries")
            time.sleep(0.5)

    def _post(self, question: Question, body: dict[str, Any]) -> dict[str, Any] | None:
        """Call once. None when nothing was promised."""
        prefer = "respond-async" if question.wait is None else f"wait={question.wait}"
        headers = {"Authorization": f"Bearer {self._parley.facts['key']}", "Prefer": prefer}
        if question.key:
            headers["Idempotency-Key"] = f"chaos-{question.number}"
        try:
            answer = self._http.post(f"{self._parley.url}/api/v1/requests", json=body, headers=headers)
        except httpx.HTTPError:
            return None
        if answer.status_code in (200, 202):
            return dict(answer.json())
        self._note(f"HTTP {answer.status_code}")
        return None
