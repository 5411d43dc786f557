"""Sign-ins on the page: keys that live for hours, and links that sign in once, soon. Only digests are stored."""

from uuid import UUID

from parley.adapters.postgres.database import Database
from parley.domain import ids, keys
from parley.domain.keys import Principal, Role

LIVES = 12 * 3600.0  # seconds that a session lives
LINK_LIVES = 15 * 60.0  # seconds in which a link may be used, once


class SignIns:
    """The store of sessions and links."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, who: Principal) -> str:
        """Open a session for somebody; it may do what they may, and ends with their key. Gives its secret, once."""
        scopes = None if who.scopes is None else sorted(who.scopes)
        return self._insert("session", who.user_id, who.role, LIVES, scopes=scopes, parent=who.key_id)

    def principal(self, secret: str) -> Principal | None:
        """Give who is signed in with this secret."""
        prefix = keys.prefix(secret)
        row = self._database.row("session_by_prefix", prefix=prefix) if prefix else None
        if row is None or not keys.is_same(secret, row["digest"]):
            return None
        scopes = None if row["scopes"] is None else frozenset(row["scopes"])
        return Principal(row["id"], row["user_id"], row["role"], scopes)

    def close(self, secret: str) -> None:
        """End a session."""
        if prefix := keys.prefix(secret):
            self._database.run("delete_session", prefix=prefix, digest=keys.digest(secret))

    def link(self, user_id: UUID, role: Role) -> str:
        """Make what signs somebody in, once, within a quarter of an hour. Gives its secret."""
        return self._insert("link", user_id, role, LINK_LIVES)

    def redeem(self, secret: str) -> Principal | None:
        """Give whom a link signs in, and forget it."""
        prefix = keys.prefix(secret)
        row = self._database.row("take_link", prefix=prefix, digest=keys.digest(secret)) if prefix else None
        return Principal(None, row["user_id"], row["role"]) if row else None

    def _insert(
        self,
        kind: str,
        user_id: UUID,
        role: Role,
        seconds: float,
        *,
        scopes: list[str] | None = None,
        parent: UUID | None = None,
    ) -> str:
        secret = keys.make()
        self._database.run(
            "insert_sign_in",
            id=ids.new(),
            prefix=keys.prefix(secret),
            digest=keys.digest(secret),
            user_id=user_id,
            role=role,
            scopes=scopes,
            seconds=seconds,
            kind=kind,
            parent=parent,
        )
        return secret
