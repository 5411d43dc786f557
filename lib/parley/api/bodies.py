"""What callers may send: the models that validate it."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints, ValidationError

from parley.api.problems import Problem
from parley.domain.events import Channel

LONGEST = 32 << 10  # bytes of content


def _content(text: str) -> str:
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        raise ValueError("longer than 32 KiB")
    if not text.strip():
        raise ValueError("blank")
    return _clean(text)


def _clean(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL")
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("is not Unicode")
    return text


def _web(url: str) -> str:
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        has_host = False
    if not has_host or not url.isprintable():
        raise ValueError("is no URL of a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user name")
    return url


Clean = Annotated[str, AfterValidator(_clean)]
_EMAIL = re.compile(r"\A[^\s\x00-\x1f\x7f@<>,;:\"()\\]{1,64}@[^\s\x00-\x1f\x7f@<>,;]+\Z")
_URL = re.compile(r"\Ahttps?://[^\s\x00-\x1f]+\Z")
_PHONE = re.compile(r"\A\+[1-9]\d{6,14}\Z")

Email = Annotated[str, StringConstraints(max_length=254, pattern=_EMAIL)]
Url = Annotated[str, StringConstraints(max_length=2000, pattern=_URL), AfterValidator(_web)]
Phone = Annotated[str, StringConstraints(pattern=_PHONE)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Context = dict[Clean, Clean | int | Finite | bool | None]


class Strict(BaseModel):
    """Unknown fields are refused: they are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Wanted(Strict):
    """By which channels the answer should go, the first first."""

    channels: Annotated[tuple[Channel, ...], Field(min_length=1, max_length=5)]
    mode: Literal["first"] = "first"


class NamedUser(Strict):
    """For whom a service asks."""

    email: Email


class Ask(Strict):
    """POST /api/v1/requests."""

    content: Annotated[str, AfterValidator(_content)]
    session_id: UUID | None = None
    delivery: Wanted | None = None
    context: Annotated[Context, Field(max_length=16)] = Field(default_factory=dict)
    user: NamedUser | None = None
    on_busy: Literal["enqueue", "reject"] = "enqueue"


class EmailConfig(Strict):
    """Where e-mail goes; without it, to the user's own address."""

    address: Email | None = None


class SmsConfig(Strict):
    """Where text messages go (E.164)."""

    number: Phone


class WebhookConfig(Strict):
    """Where answers are posted."""

    url: Url


class EmptyConfig(Strict):
    """Nothing to say."""


CONFIGS: dict[str, type[Strict]] = {
    "email": EmailConfig, "sms": SmsConfig, "webhook": WebhookConfig, "slack": EmptyConfig, "test": EmptyConfig,
}  # fmt: skip


class Integration(Strict):
    """PUT /api/v1/users/me/integrations/{channel}. None inherits the system's default."""

    enabled: StrictBool | None = None
    rank: Annotated[int, Field(ge=1, le=99)] | None = None
    config: dict[str, Any] = Field(default_factory=dict)


def config(channel: str, wanted: Integration) -> dict[str, Any]:
    """Give a channel's own fields, valid. What is turned off needs none. Raises Problem."""
    if wanted.enabled is False and not wanted.config:
        return {}
    return validated(CONFIGS[channel], wanted.config, "/config").model_dump(exclude_none=True)


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
