"""
The main job: `python -m standalone [--processes]`.

Starts a PostgreSQL when DATABASE_URL is not set, applies the migrations, loads the knowledge bases, starts the local
broker and all functions, and says how to ask a question.
"""

import argparse
import ipaddress
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, Self

import psycopg
import yaml
from psycopg.conninfo import conninfo_to_dict

from parley import config, logs, runtime, serve, telemetry
from parley.adapters.postgres import migrate, roles
from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.ledger import Ledger
from parley.adapters.postgres.library import Library
from parley.adapters.postgres.service_desk import ServiceDesk
from parley.errors import Misconfigured, Unavailable
from parley.knowledge.embedding import Embedded, embedding
from parley.knowledge.folder import look
from parley.knowledge.load import load
from standalone import banner, host, link, settings
from standalone.broker import Broker
from standalone.front import Front
from standalone.ingress import ingress_app
from standalone.postgres import EmbeddedPostgres
from standalone.socket_mode import SocketMode
from standalone.spool import PostgresSpool
from standalone.subscribers import HttpSubscriber, WsgiSubscriber
from standalone.threads import SIGNALS
from standalone.ticks import Ticks
from standalone.triggers import load_wiring

ROOT = Path(__file__).resolve().parents[2]
TOOLS = "mcp-service-desk"  # has a door of its own, to this machine only, in one process, too


@dataclass(frozen=True)
class Settings:
    """The standalone mode's own settings. `port` 0 and `broker_port` 0 choose free ones."""

    port: Annotated[int, config.Range(0, 65535)] = 8080
    broker_port: Annotated[int, config.Range(0, 65535)] = 8081
    address: str = "127.0.0.1"
    threads: int = 224  # nearly all of them for those who wait for an answer; each starts when it is needed
    log_level: logs.Level = "WARNING"
    tick_seconds: float | None = None
    broker_scale: float = 1.0
    broker_copies: config.Count = 1  # how often each event is delivered: a broker may, and nothing must happen twice
    drain_seconds: float = 20.0
    api_user: str = "you@example.org"
    k_service: str = ""
    max_instances: int = 1
    slack_app_token: str | None = None  # Socket Mode
    slack_api_url: str = "https://slack.com/api/"


@dataclass(frozen=True)
class Running:
    """Everything, started: what a server needs and what a person wants to know."""

    front: Front | None  # None with one process per function: each has a port of its own
    broker: Broker
    facts: banner.Facts


def main(arguments: list[str], given: Mapping[str, str]) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit status: 2 with one line when a setting is wrong."""
    parser = argparse.ArgumentParser(prog="standalone", description="All of Parley on one machine.")
    parser.add_argument("--processes", action="store_true", help="one process for each function")
    options = parser.parse_args(arguments)
    for number in SIGNALS:
        signal.signal(number, _leave)
    try:
        chosen, env = settle(given)
        logs.start(chosen.log_level)
        host.probe("PORT", chosen.address, chosen.port)
        host.probe("BROKER_PORT", "127.0.0.1", chosen.broker_port)
        with ExitStack() as stack:
            running = assemble(stack, chosen, env, processes=options.processes)
            _serve(stack, chosen, env, running)
    except (Misconfigured, Unavailable) as error:
        print(f"parley: {error}", file=sys.stderr)
        return 2
    return 0


def settle(given: Mapping[str, str]) -> tuple[Settings, dict[str, str]]:
    """Give our own settings, and all of them for the functions. Raises Misconfigured."""
    env = settings.environment(ROOT, settings.home(ROOT, given), given)
    chosen = config.load(Settings, env)
    _refuse_contradictions(chosen, env)
    return chosen, env


def assemble(stack: ExitStack, chosen: Settings, env: Mapping[str, str], *, processes: bool = False) -> Running:
    """Start everything but the front door; `stack` ends it, in the opposite order."""
    folder = settings.home(ROOT, env)
    url, is_ours_alone = _database(stack, folder, env)
    prepared = prepare(url, ROOT, env)
    if is_ours_alone:
        _take_over(url)
    port = chosen.port or host.free_ports(1)[0]
    broker_port = chosen.broker_port or host.free_ports(1, but={port})[0]
    if not env.get("DATABASE_URL"):
        env = {"DATABASE_ROLES": "true", **env}  # our own server asks for no passwords
    env = {**env, "DATABASE_URL": url, "K_SINK": f"http://127.0.0.1:{broker_port}/parley/parley"}
    tools_at = host.free_ports(1, but={port, broker_port})[0]
    env = {"MCP_URLS": f"service-desk=http://127.0.0.1:{tools_at}/mcp", **env}
    key = "" if chosen.k_service else key_of(folder, url, chosen.api_user)
    if not processes:  # each process of its own tells of itself
        serve.tell("parley", env)
        stack.callback(telemetry.stop)
    start = _start_processes if processes else _start_in_process
    functions, subscribers = start(stack, env, port, broker_port, tools_at, str(chosen.threads))
    wiring = load_wiring(ROOT / "triggers", functions=set(subscribers))
    broker = Broker(wiring, subscribers, PostgresSpool(url), scale=chosen.broker_scale, copies=chosen.broker_copies)
    ingress = ingress_app(broker)
    stack.callback(broker.stop, chosen.drain_seconds)
    broker.start()
    stack.enter_context(_served(ingress, broker_port))
    stack.enter_context(Ticks(wiring, subscribers, every=chosen.tick_seconds))
    ports, pids = (functions.ports, functions.pids()) if isinstance(functions, host.Processes) else ({}, {})
    facts = banner.Facts(
        port, broker_port, key, url, prepared["migrations"], prepared["documents"], _model(env), ports, pids,
        user=chosen.api_user, sign_in="" if chosen.k_service else link.address(port, link.made(url, chosen.api_user)),
    )  # fmt: skip
    if isinstance(functions, host.Processes):
        return Running(None, broker, facts)
    front = Front(functions.apps, functions.functions, ingress, is_public=_is_public(chosen))
    return Running(front, broker, facts)


def _serve(stack: ExitStack, chosen: Settings, env: Mapping[str, str], running: Running) -> None:
    home = settings.home(ROOT, env)
    stack.callback(banner.unwrite, home)
    facts = running.facts

    def listening() -> None:
        if chosen.slack_app_token:
            door = facts.ports.get("slack-ingest", facts.port)
            secret = env["SLACK_SIGNING_SECRET"].split(",")[0]
            stack.enter_context(SocketMode(chosen.slack_app_token, door, secret, url=chosen.slack_api_url))
        if chosen.k_service:
            return  # nobody reads it there, and logs are for many eyes
        banner.write(facts, home)
        banner.show(facts)

    if running.front is None:
        listening()
        while True:  # until a signal
            time.sleep(1)
    server = serve.Server(facts.port, chosen.address, chosen.threads, chosen.log_level, chosen.drain_seconds)
    serve.run(running.front, server, lambda: None, listening)


def _is_public(chosen: Settings) -> bool:
    """Whether others than this machine can reach the door."""
    if chosen.k_service:
        return True
    try:
        return not ipaddress.ip_address(chosen.address).is_loopback
    except ValueError:
        return chosen.address != "localhost"


def _model(env: Mapping[str, str]) -> str | None:
    """Say which model answers, and where; None without one."""
    url = env.get("LLAMA_STACK_URL")
    return f"{env.get('LLAMA_STACK_MODEL') or 'of each agent'} at {url}" if url else None


def prepare(url: str, root: Path, env: Mapping[str, str]) -> dict[str, int]:
    """Bring the database to the newest schema and the knowledge bases to what the files say."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # whose text holds the value
        raise Misconfigured("DATABASE_URL: must be a postgresql:// URL") from None
    try:
        applied = migrate.apply(url)
        roles.apply(url)
    except psycopg.Error as error:
        raise Misconfigured(f"DATABASE_URL: {str(error).splitlines()[0]}") from error
    return {"migrations": applied, "documents": _shelve(url, root, env)}


def _shelve(url: str, root: Path, env: Mapping[str, str]) -> int:
    """Load every base; by words alone while what embeds them cannot be reached. Gives how many documents changed."""
    database = Database(url, name="prepare")
    library, by, changed = Library(database), embedding(config.load(Embedded, env)), 0
    for path in sorted(path for path in (root / "config" / "knowledge").iterdir() if path.is_dir()):
        base = look(path)
        try:
            loaded = load(library, base.base, base.files, by, language=base.language, weights=base.weights)
        except Unavailable as error:
            if not by:
                raise
            print(f"knowledge is searched by words alone: {error}", file=sys.stderr, flush=True)
            by = None
            loaded = load(library, base.base, base.files, language=base.language, weights=base.weights)
        for source, why in loaded.problems.items():
            print(f"knowledge: {base.base}/{source} was not read: {why}", file=sys.stderr, flush=True)
        changed += loaded.changed
    people = root / "config" / "service-desk" / "employees.yaml"
    if people.exists():
        ServiceDesk(database).load(yaml.safe_load(people.read_text(encoding="utf-8")))
    database.close()
    return changed


def _database(stack: ExitStack, folder: Path, env: Mapping[str, str]) -> tuple[str, bool]:
    """Give the URL of the database, and whether everybody who has used it is gone."""
    if url := env.get("DATABASE_URL"):
        return url, False
    print("starting PostgreSQL …", file=sys.stderr, flush=True)
    server = stack.enter_context(EmbeddedPostgres(folder / "postgres"))
    return server.start(), server.is_ours_alone


def _take_over(url: str) -> None:
    """End the leases of those who were killed, so that the first tick finds their work."""
    database = Database(url, name="prepare")
    Ledger(database).end_leases()
    database.close()


def _start_in_process(
    stack: ExitStack, env: Mapping[str, str], _port: int, _broker_port: int, tools_at: int, threads: str
) -> tuple[host.InProcess, dict[str, WsgiSubscriber]]:
    running = host.InProcess.start(ROOT, {"THREADS": threads, **env})
    stack.callback(running.stop)
    stack.enter_context(_served(running.apps[TOOLS], tools_at))
    return running, {name: WsgiSubscriber(app) for name, app in running.apps.items()}


def _start_processes(
    stack: ExitStack, env: Mapping[str, str], port: int, broker_port: int, tools_at: int, threads: str
) -> tuple[host.Processes, dict[str, HttpSubscriber]]:
    names = host.names(ROOT)
    ports = dict(zip(names, host.free_ports(len(names), but={port, broker_port, tools_at}), strict=True))
    ports |= {"request-api": port, TOOLS: tools_at}
    own = {name: {"THREADS": threads if name == "request-api" else "8"} for name in names}
    running = host.Processes(ROOT, {"LOG_LEVEL": "WARNING", **env}, ports, own)
    stack.callback(running.stop)
    running.start()
    return running, {name: HttpSubscriber(f"http://127.0.0.1:{at}/") for name, at in ports.items()}


def key_of(folder: Path, url: str, email: str) -> str:
    """Give the API key of this installation, kept in a file; made anew when the database does not know it."""
    path = folder / "api-key"
    key = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    database = Database(url, name="prepare")
    keys = Keys(database)
    if not keys.principal(key):
        key = keys.create(email=email, role="user", name="standalone")
        settings.write_private(path, key + "\n")
    database.close()
    return key


class _served:  # noqa: N801 - reads as a word where it is used
    """A WSGI app served by a thread of its own."""

    def __init__(self, app: Any, port: int) -> None:
        self._server = serve.listen(app, "BROKER_PORT", "127.0.0.1", port, threads=8)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.run, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()


def _refuse_contradictions(chosen: Settings, env: Mapping[str, str]) -> None:
    """Each port once; on Knative, events in memory allow one instance, and data on a pod's disk is no data."""
    if chosen.port == chosen.broker_port != 0:
        raise Misconfigured("BROKER_PORT: must be another than PORT")
    if not chosen.k_service:
        return
    if not env.get("DATABASE_URL"):
        raise Misconfigured("DATABASE_URL: required on Knative")
    if chosen.slack_app_token:
        raise Misconfigured("SLACK_APP_TOKEN: Socket Mode is for development; on Knative Slack posts to /slack/events")
    if chosen.max_instances != 1:
        raise Misconfigured("MAX_INSTANCES: all functions in one process run as one instance")


def _leave(*_: object) -> NoReturn:
    """Unwind from wherever we are, once: a second signal does not cut the end."""
    for number in SIGNALS:
        signal.signal(number, serve.ignore)
    runtime.leaving.set()
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
