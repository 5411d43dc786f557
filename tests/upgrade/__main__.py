"""
An upgrade without a pause, rehearsed: `make upgrade-rehearsal OLD=<commit>`.

Functions of an older commit and of this one are real processes, side by side on one database and one broker, as the
revisions of a Service are while traffic moves: first the old ones alone, then the schema is migrated under them, then
both take half of everything, then the new ones alone. People ask all the time, in Slack and over HTTP. The status is 0
when every question that was accepted has one answer, which arrived once, and nothing became a dead letter.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row
from waitress.server import create_server

from devkit.slack import ALICE, BOT_USER, GENERAL, SlackStandIn, deliver
from standalone import settings
from standalone.broker import Broker
from standalone.host import Processes, free_ports, names
from standalone.ingress import ingress_app
from standalone.postgres import EmbeddedPostgres
from standalone.spool import PostgresSpool
from standalone.subscribers import HttpSubscriber
from standalone.ticks import Ticks
from standalone.triggers import load_wiring

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "How old must my laptop be before I can get a new one?"
PERSISTENT, SETTLING = 60.0, 120.0  # seconds
QUICK = {
    "NUDGE_SECONDS": "1", "LONGEST_NUDGE_SECONDS": "4", "THREADS": "8", "LOG_LEVEL": "WARNING",
    "CALLS_PER_MINUTE": "600000", "CALLS_AT_ONCE": "1000", "SLACK_PACE_SECONDS": "0.1",
}  # fmt: skip


class Split:
    """One function as the broker sees it: each event goes to one of the revisions that take traffic now."""

    def __init__(self, name: str, revisions: list["Revision"], taken: Counter[str]) -> None:
        self._name = name
        self._revisions = revisions
        self._taken = taken

    def post(self, headers: dict[str, str], body: bytes, timeout: float) -> Any:
        ready = [one for one in list(self._revisions) if self._name in one.doors]
        if not ready:
            raise ConnectionError("no revision of it takes traffic")
        chosen = random.choice(ready)
        self._taken[chosen.name] += 1
        return chosen.doors[self._name].post(headers, body, timeout)


class Revision:
    """All functions of one tree, each a process."""

    def __init__(self, name: str, root: Path, env: dict[str, str]) -> None:
        self.name = name
        every = names(root)
        self.ports = dict(zip(every, free_ports(len(every)), strict=True))
        self.doors = {one: HttpSubscriber(f"http://127.0.0.1:{port}/") for one, port in self.ports.items()}
        own = {**env, "CONFIG_DIR": str(root / "config")}
        own["MCP_URLS"] = f"service-desk=http://127.0.0.1:{self.ports['mcp-service-desk']}/mcp"
        self._running = Processes(root, own, self.ports)
        self._running.start(120)

    def door(self, name: str, path: str) -> str:
        """Give where people reach a function."""
        return f"http://127.0.0.1:{self.ports[name]}{path}"

    def stop(self) -> None:
        """End it politely."""
        self._running.stop()


class People:
    """They ask at a steady pace, one in three in Slack; `asked` and `said` are what was accepted."""

    def __init__(self, revisions: list[Revision], slack: SlackStandIn, key: str) -> None:
        self.asked: list[str] = []
        self.said: list[str] = []
        self.refused = 0
        self.why = ""
        self._revisions = revisions
        self._slack = slack
        self._http = httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=30)

    def ask(self, number: int) -> None:
        """Ask once, until it is accepted; whoever refuses is asked again, as Slack and programs do."""
        if number % 3 == 0:
            ts = self._slack.say(GENERAL, ALICE, f"<@{BOT_USER}> {QUESTION} ({number})")
            for payload in self._slack.events_for(ts):
                self._until(lambda payload=payload: self._to_slack(payload))
            self.said.append(ts)
            return
        key = uuid.uuid4().hex
        self.asked.append(self._until(lambda: self._over_http(number, key)))

    def _to_slack(self, payload: Any) -> bool:
        door = random.choice(self._revisions).door("slack-ingest", "/slack/events")
        status = deliver(door, payload, self._slack.signing_secret).status
        self.why = f"Slack's door answers {status}"
        return status == 200

    def _over_http(self, number: int, key: str) -> str | None:
        body = {"content": f"{QUESTION} ({number})", "delivery": {"channels": ["test"]}}
        headers = {"Prefer": "respond-async", "Idempotency-Key": key}
        try:
            door = random.choice(self._revisions).door("request-api", "/api/v1/requests")
            got = self._http.post(door, json=body, headers=headers)
        except httpx.TransportError as error:
            self.why = f"the API does not answer: {error!r}"
            return None
        self.why = f"the API answers {got.status_code}: {got.text}"
        # 200: it was accepted before, and has been answered since.
        return str(got.json()["request_id"]) if got.status_code in (200, 202) else None

    def _until(self, call: Any) -> Any:
        end = time.monotonic() + PERSISTENT
        while not (found := call()):
            self.refused += 1
            if time.monotonic() > end:
                raise RuntimeError(f"nobody accepts a question any more; {self.why}")
            time.sleep(0.2)
        return found


def run(old: Path, count: int, rate: float) -> int:
    """Rehearse; gives the exit status."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(EmbeddedPostgres(home / "postgres"))
        stack.callback(shutil.rmtree, server.home, ignore_errors=True)
        url = server.start()
        slack = stack.enter_context(SlackStandIn())
        [port] = free_ports(1)
        env = settings.environment(ROOT, home, {
            **QUICK, "DATABASE_URL": url, "K_SINK": f"http://127.0.0.1:{port}/parley/parley",
            "PATH": os.environ["PATH"], "SLACK_API_URL": slack.api_url, "SLACK_BOT_TOKEN": slack.token,
            "SLACK_SIGNING_SECRET": slack.signing_secret,
        })  # fmt: skip
        _python(old, "parley.adapters.postgres.migrate", url=url)
        _python(old, "parley.knowledge", "load", str(old / "config" / "knowledge" / "it-desk"), url=url)
        key = _python(old, "parley.api.keys", "create", "--email", "ann@example.org", url=url).strip()
        revisions: list[Revision] = []
        taken: Counter[str] = Counter()
        wiring = load_wiring(ROOT / "triggers", functions=set(names(ROOT)))
        split = {name: Split(name, revisions, taken) for name in names(ROOT)}
        broker = Broker(wiring, split, PostgresSpool(url), scale=0.2)
        broker.start()
        stack.callback(broker.stop, 5.0)
        ingress = create_server(ingress_app(broker), host="127.0.0.1", port=port, threads=8)
        threading.Thread(target=ingress.run, daemon=True).start()
        stack.callback(ingress.close)

        before = Revision("old", old, env)
        stack.callback(before.stop)
        revisions.append(before)
        with Ticks(wiring, split, every=2.0):
            people = People(revisions, slack, key)
            asking = threading.Thread(target=_ask, args=(people, count, rate), daemon=True)
            asking.start()
            until_asked = partial(_until_asked, people, asking)
            until_asked(count * 0.25, "the old release alone")
            print(_python(ROOT, "parley.adapters.postgres.migrate", url=url).strip())
            until_asked(count * 0.35, "the old release on the new schema")
            after = Revision("new", ROOT, {**env, "DATABASE_ROLES": "true"})
            stack.callback(after.stop)
            revisions.append(after)
            until_asked(count * 0.75, "both releases side by side")
            revisions.remove(before)
            before.stop()
            until_asked(count, "the new release alone")
            asking.join()
            left = _settled(url)
            return _judge(url, people, slack, taken, left)


def _ask(people: People, count: int, rate: float) -> None:
    for number in range(count):
        people.ask(number)
        time.sleep(1 / rate)


def _until_asked(people: People, asking: threading.Thread, count: float, phase: str) -> None:
    began, before = time.monotonic(), len(people.asked) + len(people.said)
    while (now := len(people.asked) + len(people.said)) < count:
        if not asking.is_alive():
            raise SystemExit(f"{phase}: nobody asks any more")
        time.sleep(0.1)
    print(f"{phase}: {now - before} questions in {time.monotonic() - began:.0f} s", flush=True)


def _settled(url: str) -> int:
    """Wait until nothing is open; gives how much still is."""
    end = time.monotonic() + SETTLING
    open_ = (
        "select (select count(*) from requests where due_at is not null)"
        " + (select count(*) from deliveries where due_at is not null) + (select count(*) from spool)"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            [left] = connection.execute(open_).fetchone() or (0,)
            if not left or time.monotonic() > end:
                return int(left)
            time.sleep(0.25)


def _judge(url: str, people: People, slack: SlackStandIn, taken: Counter[str], left: int) -> int:
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        states = {str(r["id"]): r["state"] for r in connection.execute("select id, state from requests")}
        once = connection.execute(
            "select r.id::text from requests r where (select count(*) from messages m where m.request_id = r.id"
            " and m.role = 'assistant') = 1"
        ).fetchall()
        sent = connection.execute(
            "select request_id::text as id from deliveries"
            " where channel = 'test' and state in ('accepted', 'delivered')"
        ).fetchall()
        [letters] = connection.execute("select count(*), min(reason) as why from dead_letters").fetchall()
    answered, arrived = {row["id"] for row in once}, {row["id"] for row in sent}
    posts = Counter(one.get("thread_ts") for one in slack.messages(from_bot=True))
    wrong = {
        "not completed": sum(1 for one in people.asked if states.get(one) != "completed"),
        "stored and not completed": sum(1 for state in states.values() if state != "completed"),
        "stored twice or never": len(states) - len(people.asked) - len(people.said),
        "not answered once": sum(1 for one in states if one not in answered),
        "not delivered": sum(1 for one in people.asked if one not in arrived),
        "not posted once": sum(1 for ts in people.said if posts[ts] != 1),
        "still open": left,
        "dead letters": letters["count"],
    }
    print(f"accepted: {len(people.asked)} over HTTP, {len(people.said)} in Slack; asked again {people.refused} times")
    print(f"events taken by the old release: {taken['old']}, by the new one: {taken['new']}")
    for what, number in wrong.items():
        print(f"  {what:24} {number}")
    failed = any(wrong.values())
    print(f"FAILED {letters['why'] or ''}" if failed else "nothing was lost, and nothing happened twice")
    return int(failed)


def _python(root: Path, *arguments: str, url: str) -> str:
    """Run a module of one of the trees to its end."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root / "lib"), "DATABASE_URL": url}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=root, env=env, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise RuntimeError(f"{arguments}: {done.stderr}")
    return done.stdout


def _tree(commit: str, folder: Path) -> Path:
    """Unpack a commit."""
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=False)
    if archive.returncode:
        raise SystemExit(f"{commit}: is not in this clone: {archive.stderr.decode().strip()}")
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="upgrade")
    parser.add_argument("old", help="the commit that runs before")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--rate", type=float, default=8, help="questions in a second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return run(_tree(options.old, Path(folder) / "old"), options.requests, options.rate)


if __name__ == "__main__":
    sys.exit(main())
