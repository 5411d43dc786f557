"""
What callers get: models of every answer, for OpenAPI and for clients.

A running function does not import this module: its answers are made from rows, and the tests hold them against these
models. Clients ignore fields that they do not know: adding one is compatible.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from parley.domain.events import Channel
from parley.domain.keys import Role

State = Literal["queued", "running", "requires_action", "completed", "failed", "cancelled"]
Source = Literal["slack", "web", "cli", "tool", "generic"]


class Model(BaseModel):
    """What every answer has in common."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="ignore")


class FieldError(Model):
    """One thing that is wrong, and where: a JSON pointer into the body, or the name of a parameter."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class ProblemDetails(Model):
    """An error (RFC 9457)."""

    type: str = Field(description="Stable: urn:parley:problem:…")
    title: str
    status: int
    detail: str | None = None
    errors: list[FieldError] = []
    request_id: str = Field(description="Of this call, as in X-Request-Id.")


class Links(Model):
    """Where a request is looked at."""

    status: str
    result: str
    events: str


class OpenAction(Model):
    """What a turn wants to do and may not without a yes."""

    action_id: UUID
    tool: str
    summary: str
    arguments: dict[str, Any] = {}
    risk: str | None = None
    digest: str = Field(description="SHA-256 of tool and arguments: what a decision is bound to.")
    expires_at: datetime | None = None


class RequestStatus(Model):
    """How a request stands."""

    request_id: UUID
    session_id: UUID
    status: State
    version: int
    attempt: int
    answered_by: UUID | None = Field(None, description="The later request whose answer is that of this one, too.")
    queue_position: int = Field(description="Open requests of the same session that come first.")
    requires_action: list[OpenAction] = []
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline: datetime
    links: Links


class Citation(Model):
    """A source of an answer."""

    model_config = ConfigDict(extra="allow")

    document: str | None = None
    title: str | None = None
    heading: str | None = None
    anchor: str | None = None


class AnswerText(Model):
    """An answer: CommonMark, with its sources."""

    model_config = ConfigDict(extra="allow")

    text: str | None = None
    agent: str | None = None
    citations: list[Citation] = []
    erased: bool = Field(default=False, description="The answer was erased by its owner.")


class Ending(Model):
    """Why a request ended without an answer."""

    type: str
    title: str


class RequestResult(Model):
    """The end of a request."""

    request_id: UUID
    session_id: UUID
    status: Literal["completed", "failed", "cancelled"]
    result: AnswerText | None
    error: Ending | None
    answered_by: UUID | None = None
    usage: dict[str, Any] | None = None
    links: Links


class RequestItem(RequestStatus):
    """A request in a list."""

    user_id: UUID
    source: Source
    content: str | None = Field(description="What was asked; null for those who may not read it.")
    result: AnswerText | None = Field(default=None, description="With `results`: what came of it, until it is erased.")
    error: Ending | None = None


class RequestPage(Model):
    """A page of requests, the newest first."""

    items: list[RequestItem]
    next_cursor: str | None


class Escalation(Model):
    """A question handed over to people."""

    id: UUID
    request_id: UUID
    session_id: UUID
    user_id: UUID
    reason: str | None
    state: Literal["open", "closed"]
    created_at: datetime
    closed_at: datetime | None


class EscalationPage(Model):
    """A page of what waits for people, the oldest first."""

    items: list[Escalation]
    next_cursor: str | None


class Link(Model):
    """A signed link to one answer: whoever has it can read that answer until it expires."""

    url: str
    expires_at: datetime


class Decision(Model):
    """What was decided about an action."""

    action_id: UUID
    state: Literal["approved", "denied"]


class Session(Model):
    """One conversation."""

    session_id: UUID
    user_id: UUID
    title: str | None
    status: Literal["open", "closed"]
    agent: str | None
    metadata: dict[str, Any]
    version: int
    requests: int = Field(description="How many questions it has had.")
    input_tokens: int
    output_tokens: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime


class SessionPage(Model):
    """A page of sessions, the latest used first."""

    items: list[Session]
    next_cursor: str | None


class NewSession(Session):
    """A conversation that takes over from another one."""

    previous_session_id: UUID


class Message(Model):
    """What was said."""

    seq: int = Field(description="The place of its request in the session.")
    role: Literal["user", "assistant", "system"]
    content: str
    agent: str | None
    request_id: UUID
    created_at: datetime


class MessagePage(Model):
    """A page of what was said."""

    items: list[Message]
    next_cursor: str | None


class ChannelDefault(Model):
    """How a channel is used when nobody says otherwise."""

    model_config = ConfigDict(extra="allow")

    channel: Channel
    enabled: bool
    rank: int | None
    patience_seconds: float


class Defaults(Model):
    """The system's defaults of all channels."""

    items: list[ChannelDefault]


class Integration(Model):
    """A user's own setting for one channel; null inherits the default."""

    id: UUID
    channel: Channel
    enabled: bool | None
    rank: int | None
    config: dict[str, Any] = Field(description="Addresses; a secret is never among them.")
    version: int
    level: Literal["accepted", "delivered", "seen"] | None = None
    patience_seconds: int | None = None
    secret: str | None = Field(default=None, description="Of a webhook, shown only when it is first registered.")
    public_key: str | None = Field(default=None, description="Of a webhook, shown only when it is first registered.")


class Integrations(Model):
    """A user's own settings."""

    items: list[Integration]


class EffectiveChannel(Model):
    """What is in force for one channel; with `explain`, where each value comes from."""

    model_config = ConfigDict(extra="allow")

    channel: Channel
    enabled: bool
    rank: int | None
    level: Literal["accepted", "delivered", "seen"]
    patience_seconds: float
    config: dict[str, Any]
    origin: dict[str, Literal["default", "user", "locked"]] | None = None
    because: str | None = Field(default=None, description="Why fields are locked.")
    trouble: str | None = Field(default=None, description="Why it cannot be used now.")


class Effective(Model):
    """What is in force for a user."""

    items: list[EffectiveChannel]


class Receiver(Model):
    """How a receiver of posts is."""

    channel: Channel
    state: Literal["ok", "failing", "disabled"]
    reason: str | None
    failing_since: datetime | None
    failures: int
    generation: int
    overlap_until: datetime | None
    consented_at: datetime | None
    allowed_rate: float | None = Field(description="Posts in a minute that it allows; null: any number.")


class Secrets(Model):
    """What a receiver verifies signatures with: shown now and never again."""

    secret: str = Field(description="Of Standard Webhooks v1: whsec_…")
    public_key: str = Field(description="Of Standard Webhooks v1a: whpk_…")
    overlap_until: datetime


class QuietHours(Model):
    """A user's own quiet hours and time zone; null is what holds for everybody."""

    begin: str | None = Field(alias="from")
    until: str | None
    timezone: str | None


class Circuit(Model):
    """Trouble that many deliveries share."""

    name: str = Field(description="Whose: slack:<workspace>, email, webhook:<id of the setting> …")
    failures: int
    reason: str | None
    code: str | None
    parked: int = Field(description="Deliveries that wait for its end.")
    failing_since: datetime
    opened_at: datetime
    next_try_at: datetime


class Circuits(Model):
    """What somebody should see to."""

    items: list[Circuit]


class Replay(Model):
    """How many deliveries are due once more."""

    count: int


class Attempt(Model):
    """One attempt to deliver."""

    number: int
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    reason: str | None
    code: str | None
    provider_id: str | None
    latency_ms: int | None
    sent: dict[str, Any] | None = None


class DeliveryItem(Model):
    """A delivery in a list."""

    id: UUID
    request_id: UUID
    session_id: UUID
    kind: str
    channel: Channel
    rank: int
    state: str
    attempt: int
    reason: str | None
    created_at: datetime
    finished_at: datetime | None


class Explained(Model):
    """Why a channel was or was not used, and what became of it, in words."""

    channel: str
    rank: int | None
    state: str | None
    says: str


class RequestDeliveries(Model):
    """Where the answer to a request went, and why."""

    mode: str | None
    items: list[DeliveryItem]
    explained: list[Explained]


class DeliveryPage(Model):
    """A page of deliveries, the newest first."""

    items: list[DeliveryItem]
    next_cursor: str | None


class Delivery(DeliveryItem):
    """A delivery with its attempts."""

    also_by: list[str]
    due_at: datetime | None
    deadline: datetime | None
    attempts: list[Attempt]


class Key(Model):
    """An API key, without what would open a door."""

    prefix: str
    name: str
    role: Role
    scopes: list[str] | None
    email: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    made_by: str | None = Field(description="The prefix of the key that made it.")


class Keys(Model):
    """API keys."""

    items: list[Key]


class NewKey(Key):
    """An API key that was just made: the only time that it is shown."""

    key: str


class Erased(Model):
    """What was erased."""

    requests: int
    sessions: int
    waiting: int = Field(description="Requests that still run: they were cancelled, erase them when they are over.")


class Export(Model):
    """Everything that is kept of a user."""

    model_config = ConfigDict(extra="allow")

    exported_at: datetime
    user: dict[str, Any]
    identities: list[dict[str, Any]]
    integrations: list[dict[str, Any]]
    keys: list[dict[str, Any]]
    sessions: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    deliveries: list[dict[str, Any]]
    attempts: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    feedback: list[dict[str, Any]]
    escalations: list[dict[str, Any]]
    slack_messages: list[dict[str, Any]]
    suppressions: list[dict[str, Any]]
    usage: list[dict[str, Any]] = Field(description="Tokens of each day.")
    employee: list[dict[str, Any]] = Field(description="What the service desk knows of them.")
    laptops: list[dict[str, Any]]
    tickets: list[dict[str, Any]]


class Me(Model):
    """Who calls."""

    user_id: UUID
    email: str | None
    display_name: str
    role: Role
    scopes: list[str] | None
    acting_for: bool = Field(description="A service key acts for this user.")


class Browser(Model):
    """Who is signed in on this browser."""

    ways: list[Literal["key", "oidc"]] = Field(description="How one can sign in.")
    me: Me | None


class SignedIn(Model):
    """Who has signed in."""

    me: Me
