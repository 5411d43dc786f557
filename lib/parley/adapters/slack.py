"""Slack: people are looked up."""

from dataclasses import dataclass

from parley.adapters.slack_tokens import ApiOf
from parley.channels.outcome import MaybeSent, NotSent
from parley.errors import Unavailable

_NOBODY = frozenset({"user_not_found", "user_not_visible"})


@dataclass(frozen=True)
class Profile:
    """A person, as Slack knows them."""

    email: str | None
    name: str
    timezone: str | None


class Slack:
    """The people of every workspace that `api_of` opens."""

    def __init__(self, api_of: ApiOf) -> None:
        self._api_of = api_of

    def profile(self, workspace: str, enterprise: str, user: str) -> Profile:
        """Look a person up; nothing is known of one whom Slack does not show. Raises Unavailable."""
        try:
            answer, data = self._api_of(workspace, enterprise or None).call(
                5, lambda client: client.users_info(user=user)
            )
        except (NotSent, MaybeSent) as error:
            raise Unavailable("users.info: Slack cannot be reached") from error
        if answer.code in _NOBODY:
            return Profile(None, "", None)
        if answer.code or answer.status != 200:
            raise Unavailable(f"users.info: {answer.code or answer.status}")
        found = data.get("user") or {}
        profile = found.get("profile") or {}
        return Profile(profile.get("email"), profile.get("real_name") or found.get("name") or "", found.get("tz"))
