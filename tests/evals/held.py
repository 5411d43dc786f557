"""Holds a conversation with a whole installation over its API, and judges what is so afterwards."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from devkit.installation import Installation

ENDED = ("completed", "failed", "cancelled")
PATIENCE = 180.0  # seconds for one answer


@dataclass
class Seen:
    """A conversation as it went: each turn's answer, what was asked of the person, and what it took."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    asks: int = 0
    seconds: float = 0.0
    session: str | None = None


class Holder:
    """Holds conversations, one at a time, each from nothing."""

    def __init__(self, parley: Installation) -> None:
        self._parley = parley
        key = {"Authorization": f"Bearer {parley.facts['key']}"}
        self._http = httpx.Client(base_url=f"{parley.url}/api/v1", headers=key, timeout=60)

    def hold(self, says: Sequence[Any]) -> Seen:
        """Say everything, decide what is to be decided, and wait for the last answer."""
        self._rows("delete from desk_tickets")
        seen, began, request = Seen(), time.monotonic(), ""
        for one in says:
            if isinstance(one, Mapping):
                if not self._decide(request, approve=bool(one["approve"])):
                    break
                seen.answers.pop()
            else:
                body = {"content": one, **({"session_id": seen.session} if seen.session else {})}
                asked = self._http.post("/requests", json=body, headers={"Prefer": "respond-async"})
                asked.raise_for_status()
                request, seen.session = asked.json()["request_id"], asked.json()["session_id"]
            answer = self._until_it_rests(request)
            seen.asks += answer["status"] == "requires_action"
            seen.answers.append(answer)
        if seen.answers[-1]["status"] == "requires_action":
            self._http.post(f"/requests/{request}/cancel")
        seen.seconds = time.monotonic() - began
        return seen

    def faults(self, seen: Seen, expect: Mapping[str, Any]) -> list[str]:
        """Say what is not as it should be."""
        last = seen.answers[-1]
        result = last.get("result") or {}
        found = {
            "agent": lambda want: result.get("agent") == want,
            "state": lambda want: last["status"] == want,
            "asks": lambda want: seen.asks == want,
            "cites": lambda want: _cites(seen, want),
            "contains": lambda want: all(word in result.get("text", "") for word in want),
            "lacks": lambda want: not any(word in result.get("text", "") for word in want),
            "tickets": self._tickets_are,
            "escalations": lambda want: self._escalations(seen) == want,
        }
        return [f"{name}: not {want!r}" for name, want in expect.items() if not found[name](want)]

    def spent(self, seen: Seen) -> tuple[int, float]:
        """Give tokens and cost of a conversation."""
        row = self._rows(
            "select coalesce(sum((s.usage->>'input_tokens')::bigint"
            " + (s.usage->>'output_tokens')::bigint), 0) as tokens,"
            " coalesce(sum((s.usage->>'cost')::float8), 0) as cost"
            " from steps s join requests r on r.id = s.request_id where r.session_id = %s", seen.session
        )[0]  # fmt: skip
        return int(row["tokens"]), float(row["cost"])

    def _until_it_rests(self, request: str) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            status = self._http.get(f"/requests/{request}/status", headers={"Prefer": "wait=5"}).json()
            if status["status"] in ENDED:
                return dict(self._http.get(f"/requests/{request}/result").json())
            if status["status"] == "requires_action":
                return dict(status)
            time.sleep(0.02)
        raise TimeoutError(f"no answer in {PATIENCE:g} s")

    def _decide(self, request: str, *, approve: bool) -> bool:
        status = self._http.get(f"/requests/{request}/status").json()
        for action in status.get("requires_action") or ():
            body = {"decision": "approve" if approve else "deny", "digest": action["digest"]}
            self._http.post(f"/requests/{request}/actions/{action['action_id']}", json=body).raise_for_status()
            return True
        return False

    def _tickets_are(self, wanted: Sequence[Mapping[str, Any]]) -> bool:
        found = self._rows("select kind, asset, model, state from desk_tickets where email = 'you@example.org'")
        return len(found) == len(wanted) and all(
            any(all(row[name] == value for name, value in one.items()) for row in found) for one in wanted
        )

    def _escalations(self, seen: Seen) -> int:
        return len(self._rows("select id from escalations where session_id = %s", seen.session))

    def _rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self._parley.database_url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []


def _cites(seen: Seen, wanted: Any) -> bool:
    turn, document = (wanted["turn"], wanted["document"]) if isinstance(wanted, Mapping) else (-1, wanted)
    citations = (seen.answers[turn].get("result") or {}).get("citations", [])
    return any(one["document"] == document for one in citations)
