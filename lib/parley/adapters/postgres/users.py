"""People: who an identity belongs to."""

from uuid import UUID

from parley.adapters.postgres.database import Database, Row
from parley.domain import ids


class Users:
    """Looks up and creates canonical users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, kind: str, value: str) -> UUID | None:
        """Give the user of an identity, or None when we have not met."""
        row = self._database.row("user_by_identity", kind=kind, value=value)
        return row["user_id"] if row else None

    def meet(self, kind: str, value: str, *, email: str | None, name: str, timezone: str | None) -> UUID:
        """Give the user of an identity that is new: the one with this e-mail address, else a new one."""
        email = email.strip().lower() if email else None
        with self._database.transaction() as tx:
            row = tx.row("insert_user", id=ids.new(), email=email, display_name=name, timezone=timezone)
            assert row, "an upsert returns its row"
            user_id: UUID = row["id"]
            tx.run("insert_identity", kind=kind, value=value, user_id=user_id)
            if email:
                tx.run("insert_identity", kind="email", value=email, user_id=user_id)
            owner = tx.row("user_by_identity", kind=kind, value=value)
        return owner["user_id"] if owner else user_id

    def of_token(self, value: str, email: str | None, name: str, role: str | None) -> UUID:
        """Give the user of a token's issuer and subject; who is new is met. `role`: of the staff's, which it names."""
        row = self._database.row("identity_of_token", value=value)
        user_id = row["user_id"] if row else self.meet("api", value, email=email, name=name, timezone=None)
        if role != (row["role"] if row else None):
            self._database.run("set_identity_role", value=value, role=role)
        return user_id

    def identity(self, user_id: UUID) -> tuple[str | None, list[str]]:
        """Give the e-mail address and the groups of a user, as tools may be told."""
        row = self._database.row("user_identity", user_id=user_id)
        assert row, "a request's user exists"
        return row["email"], row["groups"]

    def quiet(self, user_id: UUID) -> Row:
        """Give a user's own quiet hours and time zone."""
        row = self._database.row("quiet_hours", user_id=user_id)
        assert row, "the user exists"
        return row

    def set_quiet(self, user_id: UUID, begin: str | None, until: str | None, timezone: str | None) -> None:
        """Set a user's quiet hours, None for those of everybody; a time zone of None stays as it is."""
        self._database.run("set_quiet_hours", user_id=user_id, begin=begin, until=until, timezone=timezone)

    def plan_inputs(self, user_id: UUID) -> Row:
        """Give what a delivery plan needs: email, timezone, overrides, slack identities."""
        row = self._database.row("plan_inputs", user_id=user_id)
        assert row, "a request's user exists"
        return row
