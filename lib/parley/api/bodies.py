"""What callers may send: the models that validate it."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints, ValidationError

from parley.api.problems import Problem
from parley.domain import places
from parley.domain.defaults import Default
from parley.domain.events import Channel
from parley.domain.explain import refused
from parley.domain.keys import Role, Scope

LONGEST = 32 << 10  # bytes of content


def _content(text: str) -> str:
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        raise ValueError("longer than 32 KiB")
    if not _SEEN.search(text):
        raise ValueError("blank")
    return _clean(text)


def _clean(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL")
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("is not Unicode")
    return text


Clean = Annotated[str, AfterValidator(_clean), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})]
# Patterns as JSON Schema, Python and pydantic all read them: `\s` means something else to each.
_GAPS = r"\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff"
_SEEN = re.compile(f"[^{_GAPS}]")
_EMAIL = rf'^[^{_GAPS}@<>,;:"()\\]{{1,64}}@[^{_GAPS}@<>,;:"()\\]{{1,189}}$'

Email = Annotated[str, StringConstraints(max_length=254, pattern=_EMAIL)]
Content = Annotated[
    str,
    AfterValidator(_content),
    Field(
        min_length=1,
        max_length=LONGEST,
        description="The question, up to 32 KiB.",
        json_schema_extra={"pattern": rf"^[^\u0000]*[^{_GAPS}][^\u0000]*$"},
    ),
]
Finite = Annotated[float, Field(allow_inf_nan=False)]
_LONGEST_NAME = 200
_NAMES = {"propertyNames": {"pattern": r"^[^\u0000]*$", "maxLength": _LONGEST_NAME}}
Name = Annotated[str, StringConstraints(max_length=_LONGEST_NAME), AfterValidator(_clean)]
Context = Annotated[dict[Name, Clean | int | Finite | bool | None], Field(max_length=16, json_schema_extra=_NAMES)]


class Strict(BaseModel):
    """Unknown fields are refused: they are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Wanted(Strict):
    """By which channels the answer should go, the first first."""

    channels: Annotated[tuple[Channel, ...], Field(min_length=1, max_length=20)] | None = Field(
        default=None, description="Null: all that have a rank."
    )
    mode: Literal["first", "all", "origin"] = Field(
        default="first", description="One after the other until one succeeds, or all at once."
    )
    level: Literal["accepted", "delivered", "seen"] | None = Field(default=None, description="What counts as success.")
    patience_seconds: Annotated[int, Field(ge=1, le=30 * 86_400)] | None = None
    critical: bool = Field(default=False, description="Quiet hours do not count. For services and admins.")

    def kept(self) -> dict[str, Any]:
        """Give what is stored with the request: what was said, and the mode."""
        return {**self.model_dump(mode="json", exclude_defaults=True), "mode": self.mode}


class NamedUser(Strict):
    """For whom a service asks."""

    email: Email


class Ask(Strict):
    """A question, whoever asks it."""

    content: Content
    session_id: Annotated[UUID | None, Field(description="Go on with this conversation.")] = None
    delivery: Annotated[Wanted | None, Field(description="Also send the answer there.")] = None
    context: Annotated[Context, Field(description="Facts about where it was asked.")] = Field(default_factory=dict)
    user: Annotated[NamedUser | None, Field(description="For whom a service asks.")] = None
    on_busy: Annotated[
        Literal["enqueue", "reject", "coalesce"],
        Field(
            description="Behind an open question of the conversation: wait for its turn, be refused, or wait and be "
            "answered together with those that wait next to it and say the same."
        ),
    ] = "enqueue"

    def facts(self) -> dict[str, Any]:
        """Give the context, with what this kind of request knows beyond it."""
        own = self.model_dump(mode="json", exclude=set(Ask.model_fields), exclude_none=True)
        return {**self.context, **own}


class AskWeb(Ask):
    """A question from a web page."""

    page_url: Annotated[Clean, Field(max_length=2000)] | None = None
    user_agent: Annotated[Clean, Field(max_length=500)] | None = None
    locale: Annotated[Clean, Field(max_length=35)] | None = None


class AskCli(Ask):
    """A question from a terminal."""

    command: Annotated[Clean, Field(max_length=500)] | None = None
    cli_session_id: Annotated[Clean, Field(max_length=255)] | None = None
    host: Annotated[Clean, Field(max_length=255)] | None = None
    command_context: Context | None = None


class AskTool(Ask):
    """A question that a tool asks because something has happened."""

    tool_id: Annotated[Clean, Field(min_length=1, max_length=255, description="Which tool asks.")]
    trigger_event: Annotated[Clean, Field(min_length=1, max_length=255, description="What has happened.")]
    tool_instance_id: Annotated[Clean, Field(max_length=255)] | None = None
    tool_context: Context | None = None


class Feedback(Strict):
    """What somebody thinks of an answer; the last word counts."""

    rating: Literal["up", "down"]
    reason: Literal["wrong", "incomplete", "outdated", "unclear", "too_slow", "other"] | None = None
    comment: Annotated[Clean, Field(max_length=2000)] | None = None


class SignIn(Strict):
    """What somebody signs in with."""

    key: Annotated[Clean, Field(min_length=1, max_length=200, description="An API key, or the secret of a link.")]


class Escalate(Strict):
    """Why people should look at it."""

    reason: Annotated[Clean, Field(max_length=2000)] | None = None


class Decide(Strict):
    """A yes or no to an action, bound to what was shown."""

    decision: Literal["approve", "deny"]
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


Metadata = Annotated[
    dict[Name, Annotated[Clean, Field(max_length=500)]], Field(max_length=16, json_schema_extra=_NAMES)
]


class BeginSession(Strict):
    """A conversation that begins before its first question."""

    title: Annotated[Clean, Field(min_length=1, max_length=200)] | None = None
    metadata: Metadata = Field(default_factory=dict)


class ChangeSession(Strict):
    """What changes; the rest stays. Closed conversations take no more questions."""

    title: Annotated[Clean, Field(min_length=1, max_length=200)] | None = None
    metadata: Metadata | None = None
    status: Literal["open", "closed"] | None = None


class MakeKey(Strict):
    """An API key."""

    name: Annotated[Clean, Field(min_length=1, max_length=100)]
    role: Annotated[Role | None, Field(description="Yours, unless you wish for less.")] = None
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=20)] | None = None
    expires_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    email: Annotated[Email | None, Field(description="For somebody else: admins only.")] = None


class IntegrationSetting(Strict):
    """A user's own setting for a channel. Null inherits the system's default."""

    enabled: StrictBool | None = None
    rank: Annotated[int, Field(ge=1, le=99)] | None = None
    level: Literal["accepted", "delivered", "seen"] | None = Field(default=None, description="What counts as success.")
    patience_seconds: Annotated[int, Field(ge=1, le=30 * 86_400)] | None = Field(
        default=None, description="How long it may still be sent once it is due, before the next channel's turn."
    )
    config: dict[str, Any] = Field(default_factory=dict)


class NewIntegrationSetting(IntegrationSetting):
    """A setting, with its channel."""

    channel: Channel


def address(text: str) -> str:
    """Give an e-mail address, when it is one. Raises Problem."""
    try:
        return NamedUser(email=text.strip()).email
    except ValidationError:
        raise Problem("bad-request", detail="Parley-User is an e-mail address.") from None


def config(default: Default, wanted: IntegrationSetting) -> dict[str, Any]:
    """Give a channel's own fields, valid. What is turned off needs none. Raises Problem."""
    if wanted.enabled is False and not wanted.config:
        return {}
    found = places.faults(default, wanted.config)
    if found:
        errors = [{"pointer": f"/config/{_escaped(name)}", "detail": said} for name, said in found.items()]
        raise Problem("invalid", errors=errors[:20])
    return dict(wanted.config)


def unlocked(default: Default, wanted: IntegrationSetting) -> None:
    """Refuse what is not the user's to choose. Raises Problem."""
    values = {name: getattr(wanted, name) for name in ("enabled", "rank", "level", "patience_seconds")}
    if locked := refused(default, values):
        named = [("patience_seconds" if name == "patience" else name, because) for name, because in locked]
        raise Problem("invalid", errors=[{"pointer": f"/{name}", "detail": f"locked: {why}"} for name, why in named])


def _said(message: str) -> str:
    """Give what pydantic says without what it calls our own errors."""
    return message.removeprefix("Value error, ")


def validated[M: BaseModel](model: type[M], value: Any, prefix: str = "") -> M:
    """Validate a body. Raises Problem with JSON pointers, one for each place and never with what was sent."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found: dict[str, str] = {}
        for fault in error.errors(include_url=False, include_input=False):
            is_missing = fault["type"] == "missing"
            found.setdefault(prefix + _pointer(value, fault["loc"], is_missing=is_missing), _said(fault["msg"]))
        errors = [{"pointer": at, "detail": said} for at, said in found.items()]
        raise Problem("invalid", errors=errors[:20]) from None


def parameters[M: BaseModel](model: type[M], given: Mapping[str, str]) -> M:
    """Validate the parameters of a query. Raises Problem that names them, and never with what was sent."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        found = {
            str(fault["loc"][0]): _said(fault["msg"]) for fault in error.errors(include_url=False, include_input=False)
        }
        raise Problem(
            "bad-request", errors=[{"parameter": name, "detail": said} for name, said in found.items()]
        ) from None


def _pointer(value: Any, loc: Sequence[int | str], *, is_missing: bool) -> str:
    """Follow a place as far as the body goes, and to what is missing; behind that are names of the validator's own."""
    parts = []
    for part in loc:
        is_there = part in value if isinstance(value, dict) else isinstance(value, list) and part in range(len(value))
        if is_there or is_missing:
            parts.append(f"/{_escaped(part)}")
        if not is_there:
            break
        value = value[part]
    return "".join(parts)


def _escaped(part: Any) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")[:80]
