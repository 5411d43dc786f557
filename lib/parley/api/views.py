"""How rows look to callers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID


def status(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give the state of a request."""
    return {
        "request_id": str(row["id"]),
        "session_id": str(row["session_id"]),
        "status": row["state"],
        "version": row["version"],
        "attempt": row["attempt"],
        "created_at": _time(row["created_at"]),
        "started_at": _time(row["started_at"]),
        "finished_at": _time(row["finished_at"]),
        "deadline": _time(row["deadline"]),
        "links": links(row),
    }


def result(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give the end of a request: its result, or the problem that it ended with."""
    return {
        "request_id": str(row["id"]),
        "session_id": str(row["session_id"]),
        "status": row["state"],
        "result": row["result"],
        "error": row["error"],
        "links": links(row),
    }


def links(row: Mapping[str, Any]) -> dict[str, str]:
    """Give where a request is looked at."""
    base = f"/api/v1/requests/{row['id']}"
    return {"status": f"{base}/status", "result": f"{base}/result"}


def links_headers(row: Mapping[str, Any]) -> dict[str, str]:
    """Give the headers that say where a request is, and in which version."""
    found = links(row)
    return {"Location": found["status"], "Content-Location": found["result"], "ETag": etag(row)}


def etag(row: Mapping[str, Any]) -> str:
    """Give the entity tag: the row's version."""
    return f'"v{row["version"]}"'


def plain(value: Any) -> Any:
    """Give a row as JSON: ids and times as text, without the owner's id."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items() if key != "user_id"}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime):
        return _time(value)
    return str(value) if isinstance(value, UUID) else value


def _time(value: datetime | None) -> str | None:
    return value.isoformat(timespec="milliseconds") if value else None
