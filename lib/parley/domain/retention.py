"""How long what is kept is kept. What is open is never purged, however old, nor what an open row needs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

LONGEST = 36_500.0  # days: what a timestamp of the database can hold is not for settings to find out


@dataclass(frozen=True)
class Retention:
    """Days after the end, or after the last use, until rows are purged."""

    requests: float = 90  # after a question's end: with all that was said and sent for it
    sessions: float = 7  # after expiry, when nobody ever asked anything in it; others go with their last question
    idempotency_keys: float = 7  # after the first call
    done_letters: float = 30  # dead letters, after they were replayed or closed
    open_letters: float = 90  # dead letters that nobody took care of
    api_keys: float = 90  # after they expired or were revoked
    sign_ins: float = 1  # on the page, and links that nobody used: after they expired
    audit_log: float = 365
    rate_limits: float = 7  # after the last call: a bucket that is full again
    paces: float = 1  # after a place could have been written to again

    def seconds(self) -> Mapping[str, float]:
        """Give each rule with its age in seconds."""
        return {rule: min(days, LONGEST) * 86_400 for rule, days in asdict(self).items()}


# Every table: the rules by which its rows go, or why they stay. A test holds this against the schema.
PURGED: Mapping[str, tuple[str, ...]] = {
    "requests": ("requests",),
    "messages": ("requests",),
    "steps": ("requests",),
    "request_events": ("requests",),
    "actions": ("requests",),
    "deliveries": ("requests",),
    "delivery_attempts": ("requests",),
    "slack_messages": ("requests",),
    "sessions": ("requests", "sessions"),
    "idempotency_keys": ("idempotency_keys", "requests"),
    "dead_letters": ("done_letters", "open_letters"),
    "api_keys": ("api_keys", "sign_ins"),
    "request_feedback": ("requests",),
    "escalations": ("requests",),
    "rate_limits": ("rate_limits",),
    "audit_log": ("audit_log",),
    "paces": ("paces",),
}
KEPT: Mapping[str, str] = {
    "users": "until they are erased",
    "user_identities": "as long as their user",
    "user_integrations": "as long as their user, or until they are removed",
    "endpoints": "as long as the setting that names the receiver",
    "circuits": "as long as the trouble lasts",
    "knowledge_documents": "what the files say",
    "knowledge_chunks": "what the files say",
    "knowledge_bases": "a row for each base",
    "knowledge_models": "a row for each embedding model",
    "knowledge_embeddings": "until no load has used them for a week",
    "knowledge_words": "what the files say",
    "knowledge_quarantine": "until it is released",
    "slack_installations": "until Slack says that the app was removed",
    "desk_employees": "the example's own: until the company removes them",
    "desk_laptops": "as long as their employee",
    "desk_tickets": "as long as their employee: a ticket outlives the question that opened it",
    "desk_effects": "as long as their ticket",
    "token_usage": "as long as their user: a row for each day on which a model was asked",
    "heartbeats": "a row for each name",
    "suppressions": "until somebody lifts them: what bounced once is not written to again",
    "spool": "emptied by its broker, which has promised to deliver what is in it",
    "schema_migrations": "a row for each migration",
}
