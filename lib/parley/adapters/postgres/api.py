"""What the API reads and writes besides requests: keys, views, a user's own integrations."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from parley.adapters.postgres.database import Database, Row
from parley.adapters.postgres.users import Users
from parley.domain import ids, keys
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
        return Principal(row["id"], row["user_id"], row["role"])

    def create(self, *, email: str, role: Role, name: str, days: int | None = None) -> str:
        """Make a key for the user with this e-mail address, who is made when absent. Gives the key, this once."""
        key = keys.make()
        address = email.strip().lower()
        user_id = Users(self._database).meet("email", address, email=address, name="", timezone=None)
        self._database.run(
            "insert_key",
            id=ids.new(),
            prefix=keys.prefix(key),
            digest=keys.digest(key),
            user_id=user_id,
            role=role,
            name=name,
            days=days,
        )
        return key

    def all(self) -> list[Row]:
        """List the keys, without what would open a door."""
        return self._database.rows("list_keys")

    def revoke(self, prefix: str) -> bool:
        """Make a key invalid from now on. Returns whether there was one."""
        return bool(self._database.run("revoke_key", prefix=prefix))


class Views:
    """Rows as their owners see them; who may see them is decided by the caller."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ready(self) -> None:
        """Return when the key store can be read. Raises Unavailable."""
        self._database.ready()
        self._database.row("keys_readable")

    def request(self, request_id: UUID) -> Row | None:
        """Give a request with its state and result."""
        return self._database.row("request_view", id=request_id)

    def versions(self, request_ids: Iterable[UUID]) -> dict[UUID, tuple[int, str]]:
        """Give version and state of many requests in one query."""
        rows = self._database.rows("request_versions", ids=list(request_ids))
        return {row["id"]: (row["version"], row["state"]) for row in rows}

    def deliveries(self, user_id: UUID, limit: int) -> Sequence[Row]:
        """Give a user's newest deliveries."""
        return self._database.rows("deliveries_of_user", user_id=user_id, limit=limit)

    def delivery(self, delivery_id: UUID) -> Row | None:
        """Give a delivery with its attempts."""
        row = self._database.row("delivery_view", id=delivery_id)
        return {**row, "attempts": self._database.rows("attempts_of_delivery", id=delivery_id)} if row else None

    def integrations(self, user_id: UUID) -> Sequence[Row]:
        """Give a user's own settings."""
        return self._database.rows("integrations_of_user", user_id=user_id)

    def put_integration(self, user_id: UUID, channel: str, values: dict[str, Any]) -> Row:
        """Store a user's setting for one channel, instead of the one before."""
        row = self._database.row("put_integration", id=ids.new(), user_id=user_id, channel=channel, **values)
        assert row, "an upsert returns its row"
        return row

    def delete_integration(self, user_id: UUID, channel: str) -> bool:
        """Forget a user's setting. Returns whether there was one."""
        return bool(self._database.run("delete_integration", user_id=user_id, channel=channel))
