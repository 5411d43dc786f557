"""What we say around an answer, the same on every channel."""

from collections.abc import Iterable, Iterator

from parley.domain.delivery import Job

NAMES = {
    "slack": "Slack", "email": "e-mail", "sms": "SMS", "webhook": "webhook", "teams": "Microsoft Teams",
    "test": "the test channel",
}  # fmt: skip


def note(job: Job) -> str:
    """Say by which other channels the same answer may have come; empty when by none."""
    if not job.also_by:
        return ""
    return f"This may also have reached you by {' and '.join(NAMES.get(name, name) for name in job.also_by)}."


def sources(job: Job) -> list[str]:
    """Name each cited section once: title and heading."""
    return list(dict.fromkeys(_names(job)))


def _names(job: Job) -> Iterator[str]:
    for citation in job.citations:
        title, heading = citation.get("title", ""), citation.get("heading", "")
        parts: Iterable[str] = dict.fromkeys(part for part in (title, heading) if part)
        if name := ": ".join(parts):
            yield " ".join(name.split())
