"""Plans as rows: the deliveries of an answer, stored in the transaction that ends its request."""

from datetime import datetime
from uuid import UUID

from parley.adapters.postgres.database import Row, Transaction
from parley.domain import ids
from parley.domain.delivery import Due
from parley.domain.events import Kind
from parley.domain.plan import Plan, Rank
from parley.domain.quiet import Quiet


def store_plan(
    tx: Transaction, request: Row, plan: Plan, kind: Kind, action_id: UUID | None = None, text: str | None = None
) -> list[Due]:
    """
    Store the deliveries of a plan within the transaction that ends the request, or makes it wait for a decision.

    `text`: what a notice says. Gives those that are due now.
    """
    about = {"session_id": request["session_id"], "user_id": request["user_id"], "action_id": action_id}
    about |= {"request_id": request["id"], "kind": kind}
    due = []
    for rank in plan.ranks:
        delivery_id = ids.delivery(action_id or request["id"], kind, rank.channel, rank.rank)
        is_due = plan.is_due(rank)
        tx.send(
            "insert_delivery", id=delivery_id, mode=plan.mode, is_due=is_due, notice=text, **about, **_columns(rank)
        )
        if is_due and rank.not_before is None:
            due.append(due_of({**about, "id": delivery_id, "channel": rank.channel}))
    if plan.skipped and not plan.ranks:
        skip = next((one for one in plan.skipped if _is_name(one.channel)), None)
        if skip:
            id_ = ids.delivery(action_id or request["id"], kind, skip.channel, 0)
            tx.send("insert_undeliverable", id=id_, channel=skip.channel, reason=skip.reason, **about)
    return due


def end_of_rank(tx: Transaction, ended: Row, also_by: list[str]) -> Due | None:
    """Make the next rank of an answer due, when there is one; gives it, unless quiet hours put it off."""
    same = {name: ended[name] for name in ("request_id", "kind", "action_id", "rank")}
    row = tx.row("next_planned", **same) if ended["mode"] != "all" else None
    if row is None:
        return None
    not_before = put_off(row["quiet"], row["at"], row["acted_at"])
    promoted = tx.row("promote", id=row["id"], not_before=not_before, also_by=also_by)
    return due_of(promoted) if promoted and promoted["state"] == "queued" else None


def put_off(quiet: Row | None, now: datetime, acted_at: datetime) -> datetime | None:
    """Say until when quiet hours put off what is due now."""
    return Quiet.of(quiet).until(now, acted_at) if quiet else None


def due_of(row: Row) -> Due:
    """Give what a row of `deliveries` is to whoever nudges it."""
    return Due(row["id"], row["channel"], row["request_id"], row["session_id"], row["kind"])


def _columns(rank: Rank) -> Row:
    return {
        "channel": rank.channel, "rank": rank.rank, "address": dict(rank.address), "address_key": rank.address_key,
        "level": rank.level, "confirm": rank.confirm, "pauses": list(rank.retry), "patience": rank.patience,
        "quiet": rank.quiet.as_dict() if rank.quiet else None, "locked": rank.locked, "not_before": rank.not_before,
        "circuit": rank.circuit or rank.channel,
    }  # fmt: skip


def _is_name(channel: str) -> bool:
    import re

    from parley.domain.events import CHANNEL

    return re.match(CHANNEL, channel) is not None
