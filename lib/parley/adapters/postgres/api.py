"""What the API reads and writes besides requests and sessions: keys, limits, views, a user's own integrations."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from parley.adapters.postgres.database import Database, Row
from parley.adapters.postgres.users import Users
from parley.domain import ids, keys
from parley.domain.events import Emit, ResponseReady
from parley.domain.keys import Principal, Role


class Keys:
    """The key store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def principal(self, key: str) -> Principal | None:
        """Give the owner of a key that is valid now."""
        prefix = keys.prefix(key)
        row = self._database.row("key_by_prefix", prefix=prefix, digest=keys.digest(key)) if prefix else None
        if row is None or not keys.is_same(key, row["digest"]):
            return None
        scopes = None if row["scopes"] is None else frozenset(row["scopes"])
        return Principal(row["id"], row["user_id"], row["role"], scopes)

    def create(
        self,
        *,
        email: str | None = None,
        user_id: UUID | None = None,
        role: Role,
        name: str,
        days: int | None = None,
        scopes: Sequence[str] | None = None,
        made_by: UUID | None = None,
    ) -> str:
        """
        Make a key for a user, or the one with this e-mail address, who is made when absent. Gives the key, once.

        `made_by`: the key whose owner asked for it.
        """
        key = keys.make()
        if user_id is None:
            address = (email or "").strip().lower()
            user_id = Users(self._database).meet("email", address, email=address, name="", timezone=None)
        self._database.run(
            "insert_key",
            id=ids.new(),
            prefix=keys.prefix(key),
            digest=keys.digest(key),
            user_id=user_id,
            role=role,
            name=name,
            scopes=None if scopes is None else list(scopes),
            days=days,
            made_by=made_by,
        )
        return key

    def all(self, user_id: UUID | None = None) -> list[Row]:
        """List the keys, of one user or of all, without what would open a door."""
        return self._database.rows("list_keys", user_id=user_id)

    def owner(self, prefix: str) -> Row | None:
        """Give whose key this is: `user_id`."""
        return self._database.row("key_owner_of_prefix", prefix=prefix)

    def is_staff(self, user_id: UUID) -> bool:
        """Whether this person has a valid key of the support or of an admin."""
        row = self._database.row("is_staff", user_id=user_id)
        return bool(row and row["it_is"])

    def revoke(self, prefix: str) -> bool:
        """Make a key invalid from now on. Returns whether there was one."""
        return bool(self._database.run("revoke_key", prefix=prefix))

    def revoke_all(self, prefix: str) -> bool:
        """Make a key invalid, and all that it has made, and that those have made. Returns whether there was any."""
        return bool(self._database.run("revoke_keys_made", prefix=prefix))


class Limits:
    """How often a caller may call: a bucket of `burst` calls, refilled with `per_minute`."""

    def __init__(self, database: Database, *, per_minute: int, burst: int) -> None:
        self._database = database
        self.per_minute = per_minute
        self.burst = burst

    def take(self, principal: str) -> tuple[bool, float]:
        """Take one call. Gives whether it was there, and how many are left."""
        row = self._database.row("take_rate", principal=principal, burst=self.burst, rate=self.per_minute / 60)
        assert row, "an upsert returns its row"
        return row["allowed"], row["tokens"]


class Views:
    """Rows as their owners see them; who may see them is decided by the caller."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ready(self) -> None:
        """Return when the key store can be read. Raises Unavailable."""
        self._database.ready()
        self._database.row("keys_readable")

    def me(self, user_id: UUID) -> Row | None:
        """Give a user."""
        return self._database.row("me", user_id=user_id)

    def request(self, request_id: UUID) -> Row | None:
        """Give a request with its state and result."""
        return self._database.row("request_view", id=request_id)

    def requests(
        self,
        *,
        user_id: UUID | None,
        session_id: UUID | None,
        state: str | None,
        before: UUID | None,
        limit: int,
        results: bool = False,
    ) -> list[Row]:
        """Give the newest requests, of one user or of all; with `results`, what came of them, unless it was erased."""
        wanted = {"user_id": user_id, "session_id": session_id, "state": state, "before": before}
        return self._database.rows("list_requests", **wanted, limit=limit, results=results)

    def versions(self, request_ids: Iterable[UUID]) -> dict[UUID, tuple[int, str]]:
        """Give version and state of many requests in one query."""
        rows = self._database.rows("request_versions", ids=list(request_ids))
        return {row["id"]: (row["version"], row["state"]) for row in rows}

    def events(self, readers: Sequence[tuple[UUID, int]], limit: int = 2000) -> list[Row]:
        """Give what was logged for each (request, sequence number) since; `reader` is the place in `readers`."""
        return self._database.rows(
            "events_after",
            readers=list(range(len(readers))),
            ids=[request_id for request_id, _ in readers],
            seqs=[seq for _, seq in readers],
            limit=limit,
        )

    def feedback(self, request_id: UUID, user_id: UUID, rating: str, reason: str | None, comment: str | None) -> None:
        """Keep what a user thinks of an answer; the last word counts."""
        self._database.run(
            "put_feedback", request_id=request_id, user_id=user_id, rating=rating, reason=reason, comment=comment
        )

    def deliveries(
        self, user_id: UUID, limit: int, before_at: datetime | None = None, before: UUID | None = None
    ) -> Sequence[Row]:
        """Give a user's newest deliveries."""
        return self._database.rows(
            "deliveries_of_user", user_id=user_id, limit=limit, before_at=before_at, before=before
        )

    def delivery(self, delivery_id: UUID) -> Row | None:
        """Give a delivery with its attempts."""
        row = self._database.row("delivery_view", id=delivery_id)
        return {**row, "attempts": self._database.rows("attempts_of_delivery", id=delivery_id)} if row else None

    def redeliver(self, delivery_id: UUID) -> Emit | None:
        """Make a delivery that has ended due once more; gives its nudge. None when it is open, planned or erased."""
        row = self._database.row("redeliver", id=delivery_id)
        if row is None:
            return None
        contract = ResponseReady(
            request_id=row["request_id"],
            delivery_id=row["id"],
            session_id=row["session_id"],
            channel=row["channel"],
            kind=row["kind"],
        )
        return Emit(contract, cause=f"redelivery {ids.new()}", traceparent=row["traceparent"])

    def deliveries_of_request(self, request_id: UUID) -> Sequence[Row]:
        """Give the deliveries of a request, in their order."""
        return self._database.rows("deliveries_of_request", request_id=request_id)

    def integrations(self, user_id: UUID) -> Sequence[Row]:
        """Give a user's own settings."""
        return self._database.rows("integrations_of_user", user_id=user_id)

    def put_integration(
        self, user_id: UUID, channel: str, values: dict[str, Any], version: int | None = None
    ) -> Row | None:
        """Store a user's setting for one channel, instead of the one before. None when that has another version."""
        return self._database.row(
            "put_integration",
            id=ids.new(),
            user_id=user_id,
            channel=channel,
            version=version,
            **{"level": None, "patience_seconds": None, **values},
        )

    def delete_integration(self, user_id: UUID, channel: str) -> bool:
        """Forget a user's setting. Returns whether there was one."""
        return bool(self._database.run("delete_integration", user_id=user_id, channel=channel))

    def delete_integrations(self, user_id: UUID) -> int:
        """Forget all of a user's settings."""
        return self._database.run("delete_integrations", user_id=user_id)
