"""How rows look to callers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from parley.domain.actions import Action


def status(row: Mapping[str, Any], actions: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Give the state of a request."""
    return {
        "request_id": str(row["id"]),
        "session_id": str(row["session_id"]),
        "status": row["state"],
        "version": row["version"],
        "attempt": row["attempt"],
        "answered_by": str(row["answered_by"]) if row["answered_by"] else None,
        "queue_position": row["queue_position"],
        "requires_action": actions or [],
        "created_at": time(row["created_at"]),
        "started_at": time(row["started_at"]),
        "finished_at": time(row["finished_at"]),
        "deadline": time(row["deadline"]),
        "links": links(row),
    }


def result(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give the end of a request: its result, or the problem that it ended with."""
    return {
        "request_id": str(row["id"]),
        "session_id": str(row["session_id"]),
        "status": row["state"],
        "answered_by": str(row["answered_by"]) if row["answered_by"] else None,
        "result": row["result"],
        "error": row["error"],
        "usage": row["usage"],
        "links": links(row),
    }


def item(row: Mapping[str, Any], *, readable: bool) -> dict[str, Any]:
    """Give a request of a list."""
    said = {name: row[name] if readable else None for name in ("content", "result", "error")}
    return {**status(row), "user_id": str(row["user_id"]), "source": row["source"], **said}


def session(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a session."""
    shown: dict[str, Any] = plain(row)
    return {"session_id": shown.pop("id"), "user_id": str(row["user_id"]), **shown}


def action(one: Action) -> dict[str, Any]:
    """Give what waits for a decision."""
    return {
        "action_id": str(one.id),
        "tool": one.tool,
        "summary": one.summary,
        "arguments": dict(one.arguments),
        "risk": one.risk,
        "digest": one.digest,
        "expires_at": time(one.expires_at),
    }


def links(row: Mapping[str, Any]) -> dict[str, str]:
    """Give where a request is looked at."""
    base = f"/api/v1/requests/{row['id']}"
    return {"status": f"{base}/status", "result": f"{base}/result", "events": f"{base}/events"}


def links_headers(row: Mapping[str, Any]) -> dict[str, str]:
    """Give the headers that say where a request is, and in which version."""
    found = links(row)
    return {"Location": found["status"], "Content-Location": found["result"], "ETag": etag(row)}


def etag(row: Mapping[str, Any]) -> str:
    """Give the entity tag: the row's version."""
    return f'"v{row["version"]}"'


def plain(value: Any) -> Any:
    """Give a row as JSON: ids and times as text, without whose it is."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items() if key not in ("user_id", "asked_by")}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime):
        return time(value)
    return str(value) if isinstance(value, UUID) else value


def owned(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a row as JSON with whose it is, for staff."""
    return {**plain(row), "user_id": str(row["user_id"])}


def time(value: datetime | None) -> str | None:
    """Give a time as text."""
    return value.isoformat(timespec="milliseconds") if value else None
