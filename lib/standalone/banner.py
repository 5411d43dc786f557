"""What a person sees at the start: where it listens, how to ask, how to go on from here."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from parley import started
from standalone import settings

QUESTION = "How old must my laptop be before I can get a new one?"


@dataclass(frozen=True)
class Facts:
    """What was started. `ports` and `pids`: of each function, with one process for each."""

    port: int
    broker_port: int
    key: str
    database: str
    migrations: int
    documents: int
    model: str | None = None  # and where it is; None: answers come from the knowledge base
    ports: Mapping[str, int] = field(default_factory=dict)
    pids: Mapping[str, int] = field(default_factory=dict)
    user: str = ""
    sign_in: str = ""  # a link that signs the user in on the page, once


def write(facts: Facts, home: Path) -> None:
    """Write the facts down as JSON, for other programs; only its owner may read the key."""
    settings.write_private(started.path(home), json.dumps({**asdict(facts), "pid": os.getpid()}))


def unwrite(home: Path) -> None:
    """Take the facts back, unless somebody else has written theirs since."""
    facts = started.read(home)
    if facts and facts["pid"] == os.getpid():
        started.path(home).unlink(missing_ok=True)


def show(facts: Facts, out: TextIO = sys.stdout) -> None:
    """Print how to use what has just started. Plain text when `out` is no terminal."""
    bold, dim, off = ("\033[1m", "\033[2m", "\033[0m") if out.isatty() else ("", "", "")
    base, broker = f"http://127.0.0.1:{facts.port}", f"http://127.0.0.1:{facts.broker_port}"
    slack = f"http://127.0.0.1:{facts.ports['slack-ingest']}" if facts.ports else base
    how = "one process per function" if facts.ports else "all functions in one process"
    curl = (
        f"curl -s {base}/api/v1/requests -H 'Authorization: Bearer {facts.key}' "
        f"-H 'Content-Type: application/json' -d '{json.dumps({'content': QUESTION})}'"
    )
    answers = f"model {facts.model}" if facts.model else "no model configured: answers come from the knowledge base"
    state = (
        f"database {_place(facts.database)}; {facts.migrations} migrations applied, "
        f"{facts.documents} documents loaded; {answers}"
    )
    lines = [
        f"{bold}Parley is running{off} on {base} ({how})",
        f"{dim}{state}{off}",
        "",
        f"{bold}Open{off} (signs you in as an admin, once, within 15 minutes; `make link` prints another):",
        f"  {facts.sign_in}",
        f"{bold}Ask{off} (the answer comes back in the same call):",
        f"  {curl}",
        f"{bold}Ask without waiting{off}: add  -H 'Prefer: respond-async'  and follow the `links` of the answer",
        f"{bold}API key{off} (role user; `make admin-key EMAIL={facts.user}` makes an admin's): {facts.key}",
        f"{bold}Slack{off}: SLACK_SIGNING_SECRET=… SLACK_BOT_TOKEN=xoxb-… make run; event URL {slack}/slack/events",
        f"{bold}Llama Stack{off}: LLAMA_STACK_URL=http://127.0.0.1:8321 LLAMA_STACK_MODEL=… make run",
        f"{bold}Events{off}: kn event send --to {broker}/parley/parley …  (its state: {broker}/-/broker)",
        f"{bold}Stop{off}: Ctrl-C",
    ]
    print("\n".join(lines), file=out, flush=True)


def _place(url: str) -> str:
    """Say which database it is, in one of the forms that libpq takes, without who we are there."""
    parts = conninfo_to_dict(url)
    return make_conninfo("", **{name: parts[name] for name in ("host", "port", "dbname") if name in parts})
