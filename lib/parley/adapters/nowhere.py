"""Where the test channel sends: nowhere. What it would have sent is kept with the attempt."""

from parley.channels import test
from parley.channels.outcome import Delivered, Sent
from parley.domain.delivery import Job


class Nowhere:
    """The test channel."""

    def send(self, job: Job, timeout: float) -> Sent:  # noqa: ARG002 - nothing takes time here
        """Keep what would have been sent."""
        return Sent(Delivered(f"test-{job.delivery_id}"), kept=test.render(job))

    def find(self, job: Job, timeout: float) -> Sent | None:  # noqa: ARG002 - sending nothing twice is harmless
        """Say that it may be sent again."""
        return None
