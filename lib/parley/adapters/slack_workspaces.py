"""The Slack channel of many workspaces: each delivery by the token of the place that it goes to."""

from collections.abc import Callable

from parley.adapters.slack_api import SlackApi
from parley.adapters.slack_delivery import SlackChannel
from parley.adapters.slack_tokens import ApiOf
from parley.channels.outcome import Failed, Retry, Sent, Unsure
from parley.domain.delivery import Job
from parley.errors import Rejected, Unavailable


class SlackWorkspaces:
    """The channel of deliver-slack. `channel` makes that of one workspace; it is made anew when the token changes."""

    def __init__(self, api_of: ApiOf, channel: Callable[[SlackApi], SlackChannel]) -> None:
        self._api_of = api_of
        self._channel = channel
        self._made: dict[SlackApi, SlackChannel] = {}

    def load(self) -> None:
        """Import what a call needs."""
        SlackApi("", "").load()

    def send(self, job: Job, timeout: float) -> Sent:
        """Post what is missing of an answer."""
        try:
            return self._of(job).send(job, timeout)
        except Unavailable as error:
            return Sent(Retry(str(error)))
        except Rejected as error:
            return Sent(Failed(str(error)))

    def find(self, job: Job, timeout: float) -> Sent | None:
        """Look for what an earlier attempt posted."""
        try:
            return self._of(job).find(job, timeout)
        except Unavailable as error:
            return Sent(Unsure(str(error)))
        except Rejected as error:
            return Sent(Unsure(str(error), final=True))

    def _of(self, job: Job) -> SlackChannel:
        api = self._api_of(str(job.address.get("workspace", "")), job.address.get("enterprise"))
        if api not in self._made:
            self._made = (
                {api: self._channel(api)} if len(self._made) > MOST else {**self._made, api: self._channel(api)}
            )
        return self._made[api]


MOST = 100  # channels remembered
