"""
One request through its functions: spans of time in lanes, made from the rows that it has left.

A lane is who worked, or was waited for: the function that took the question, agent-turn, its tools, a person, each
channel. What is still going on has no end.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]

_ENDS = frozenset({"completed", "failed", "cancelled"})
_DOOR = {"slack": "slack-ingest"}


@dataclass(frozen=True)
class Span:
    """Something that took time; `end` None: it still does. A mark has the same start and end."""

    lane: str
    kind: str
    label: str
    start: datetime
    end: datetime | None
    state: str
    detail: str = ""


def spans(rows: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the spans of a request, by their start."""
    found = [*_asked(rows["request"]), *_turns(rows), *_steps(rows), *_actions(rows["actions"]), *_sent(rows)]
    return [asdict(span) for span in sorted(found, key=lambda span: span.start)]


def _asked(request: Row) -> Iterator[Span]:
    door = _DOOR.get(request["source"], "request-api")
    yield Span(door, "accepted", "accepted", request["created_at"], request["created_at"], "done", request["source"])


def _turns(rows: Mapping[str, Any]) -> Iterator[Span]:
    """When it waited and when somebody worked on it: from one state to the next."""
    told = [(row["created_at"], row["status"] or row["type"]) for row in rows["events"] if _is_state(row)]
    for number, (start, state) in enumerate(told):
        end = told[number + 1][0] if number + 1 < len(told) else None
        if state in _ENDS:
            yield Span("agent-turn", "end", state, start, start, "failed" if state == "failed" else "done")
        elif state == "running":
            yield Span("agent-turn", "turn", "turn", start, end, "done" if end else "open", _owner(rows["request"]))
        elif state == "queued":
            yield Span("agent-turn", "queued", "queued", start, end, "waits")


def _is_state(row: Row) -> bool:
    return row["type"] == "status" or row["type"] in _ENDS


def _owner(request: Row) -> str:
    return f"epoch {request['epoch']}, revision {request['agent_revision'] or '?'}"


def _steps(rows: Mapping[str, Any]) -> Iterator[Span]:
    """What the turn did, step by step. A step of the model has its start in the log, a tool's in the journal."""
    begun = {row["step"]: row for row in rows["events"] if row["type"] == "step" and row["state"] == "started"}
    tools = {row["step"]: row for row in rows["events"] if row["type"] == "tool_call"}
    texts = {row["step"]: row["began"] for row in rows["texts"]}
    before = rows["request"]["started_at"]
    for row in rows["steps"]:
        if row["kind"] == "approval":  # the decision itself: it stands in the person's lane
            continue
        number, is_tool = row["step"], row["kind"] == "tool"
        start = row["started_at"] if is_tool else _start(begun.get(number), texts.get(number), before, row)
        label = (tools.get(number) or {}).get("tool") if is_tool else None
        state = _state(row, tools.get(number))
        lane = "tools" if is_tool else "agent-turn"
        yield Span(lane, row["kind"], label or row["kind"], start, row["finished_at"], state, _usage(row["usage"]))
        before = row["finished_at"] or before


def _start(begun: Row | None, text: datetime | None, before: datetime | None, row: Row) -> datetime:
    known = [at for at in (begun["created_at"] if begun else None, text, row["started_at"]) if at]
    start: datetime = max(before, min(known)) if before else min(known)
    return min(start, row["finished_at"] or start)


def _state(row: Row, call: Row | None) -> str:
    if call and call["state"] in ("failed", "unknown"):
        return str(call["state"])
    return "done" if row["state"] == "done" else "open"


def _usage(usage: Row | None) -> str:
    return f"{usage['input_tokens']} → {usage['output_tokens']} tokens" if usage and "input_tokens" in usage else ""


def _actions(actions: Iterable[Row]) -> Iterator[Span]:
    looks = {"approved": "done", "open": "waits"}
    for row in actions:
        state = looks.get(row["state"], "failed")
        yield Span("person", "approval", row["tool"], row["created_at"], row["decided_at"], state, row["state"])


def _sent(rows: Mapping[str, Any]) -> Iterator[Span]:
    """Each delivery with its attempts; what waits in between is seen as a thin line."""
    attempts: dict[Any, list[Row]] = {}
    for row in rows["attempts"]:
        attempts.setdefault(row["delivery_id"], []).append(row)
    for row in rows["deliveries"]:
        lane, tried = f"deliver-{row['channel']}", attempts.get(row["id"], [])
        detail = " · ".join(filter(None, [row["kind"], row["reason"]]))
        yield Span(lane, "delivery", row["state"], row["created_at"], row["finished_at"], _look(row["state"]), detail)
        for number, one in enumerate(tried, start=1):
            said = " · ".join(filter(None, [one["reason"], one["code"]]))
            state = _look(one["outcome"] or "sending")
            yield Span(lane, "attempt", f"attempt {number}", one["started_at"], one["finished_at"], state, said)


def _look(state: str) -> str:
    if state == "delivered":
        return "done"
    if state in ("failed", "expired", "retry"):
        return "failed"
    return "open" if state == "sending" else "waits" if state in ("queued", "planned", "wait", "parked") else "unknown"
