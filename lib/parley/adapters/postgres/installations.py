"""Where our app is installed: sealed tokens, one row for a workspace or for a whole organisation."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from parley.adapters.postgres.database import Database, Row

REFRESH = 30.0  # seconds that one process has for a refresh, before another one may try


@dataclass(frozen=True)
class Installation:
    """What Slack gave us. Times are the database's; `expires_at` None: the token lives for ever."""

    workspace: str  # its id, or the organisation's when that was installed as a whole
    bot_user: str
    token: str
    scopes: tuple[str, ...] = ()
    enterprise: str | None = None
    refresh_token: str | None = None
    expires_in: float | None = None  # seconds
    expires_at: datetime | None = None
    is_stale: bool = False  # less than two hours are left
    is_over: bool = False


class Installations:
    """`close` seals a text, `open_` opens what was sealed."""

    def __init__(self, database: Database, close: Callable[[str], bytes], open_: Callable[[bytes], str]) -> None:
        self._database = database
        self._close = close
        self._open = open_

    def find(self, workspace: str, enterprise: str | None = None) -> Installation | None:
        """Give the installation of a workspace, else that of its organisation."""
        row = self._database.row(
            "installation", names=[workspace, *([enterprise] if enterprise else [])], first=workspace
        )
        return self._installation(row) if row else None

    def put(self, one: Installation) -> None:
        """Keep an installation; a later one of the same place replaces it."""
        self._database.run(
            "put_installation",
            workspace=one.workspace,
            enterprise=one.enterprise,
            bot_user=one.bot_user,
            token=self._close(one.token),
            refresh_token=self._close(one.refresh_token) if one.refresh_token else None,
            expires_in=one.expires_in,
            scopes=list(one.scopes),
        )

    def take_refresh(self, one: Installation) -> bool:
        """Whether this caller is the one to refresh a token now: of many, one in `REFRESH` seconds."""
        lease = {"expires_at": one.expires_at, "lease": REFRESH}
        return self._database.row("take_refresh", workspace=one.workspace, **lease) is not None

    def remove(self, workspace: str) -> bool:
        """Forget a place that has removed us. Says whether it was known."""
        return bool(self._database.run("remove_installation", workspace=workspace))

    def stale(self) -> list[str]:
        """Name the workspaces whose tokens should be refreshed, whether they are used or not."""
        return [row["workspace"] for row in self._database.rows("stale_installations")]

    def _installation(self, row: Row) -> Installation:
        return Installation(
            workspace=row["workspace"],
            bot_user=row["bot_user"] or "",
            token=self._open(row["bot_token"]),
            scopes=tuple(row["scopes"]),
            enterprise=row["enterprise"],
            refresh_token=self._open(row["refresh_token"]) if row["refresh_token"] else None,
            expires_at=row["expires_at"],
            is_stale=row["is_stale"],
            is_over=row["is_over"],
        )
