"""
CloudEvents 1.0 over HTTP: binary and structured in, binary out, strict.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import base64
import hashlib
import hmac
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from parley import telemetry
from parley.errors import Malformed

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent

JSON = "application/json"
NAMESPACE = uuid.UUID("6ba63cb4-6c1f-5c5b-9d4e-2f7d3a1f0a51")

_REQUIRED = ("id", "source", "type")
_OPTIONAL = ("subject", "time", "dataschema")
_NAME = re.compile(r"[a-z0-9]{1,20}\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z")
# §3.1.3.2: space, double quote, percent and everything outside U+0021..U+007E are percent-encoded.
_PLAIN = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"%')


@dataclass(frozen=True)
class Event:
    """One CloudEvent. `body` is the data as bytes of `datacontenttype`; empty when the event carries none."""

    id: str
    source: str
    type: str
    subject: str | None = None
    time: str | None = None
    dataschema: str | None = None
    datacontenttype: str | None = JSON
    extensions: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def data(self) -> Any:
        """The JSON value of the body. Raises Malformed when it is none."""
        if not isloads(self.datacontenttype):
            raise Malformed("the data is not JSON")
        return loads(self.body)

    def attributes(self) -> dict[str, str]:
        """Every attribute that is set, extensions included, as decoded text."""
        core = {name: getattr(self, name) for name in (*_REQUIRED, *_OPTIONAL, "datacontenttype")}
        return {"specversion": "1.0", **{k: v for k, v in core.items() if v}, **self.extensions}


def event_id(*cause: object) -> str:
    """The id of an event that follows from `cause`: the same cause gives the same id (uuid5)."""
    return str(uuid.uuid5(NAMESPACE, json.dumps([str(part) for part in cause])))


def isloads(content_type: str | None) -> bool:
    """Whether a media type is JSON; an absent one counts as JSON, as the specification says."""
    media = (content_type or JSON).split(";")[0].strip().lower()
    return media == JSON or media.endswith("+json")


def parse(headers: Mapping[str, str], body: bytes) -> Event:
    """
    The event in one HTTP message, binary or structured. Raises Malformed.

    The bytes of binary data are not looked into: a broker passes them on. `Event.data` reads them.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    media = lower.get("content-type", "").split(";")[0].strip().lower()
    if media.startswith("application/cloudevents-batch"):
        raise Malformed("batches are not accepted")
    if media.startswith("application/cloudevents"):
        return _structured(media, body)
    attributes = {name[3:]: _decode(name, value) for name, value in lower.items() if name.startswith("ce-")}
    if "content-type" in lower:
        attributes["datacontenttype"] = lower["content-type"]
    return _event(attributes, body)


def to_binary(event: Event) -> tuple[dict[str, str], bytes]:
    """The HTTP headers and body of an event in binary mode."""
    attributes = event.attributes()
    content_type = attributes.pop("datacontenttype", None)
    headers = {f"ce-{name}": quote(value, safe=_PLAIN) for name, value in attributes.items()}
    if content_type:
        headers["content-type"] = content_type
    return headers, event.body


def to_structured(event: Event) -> dict[str, Any]:
    """The event as one JSON object, whole: what is kept of a dead letter."""
    attributes: dict[str, Any] = dict(event.attributes())
    if not event.body:
        return attributes
    try:
        return {**attributes, "data": event.data}
    except Malformed:
        return {**attributes, "data_base64": base64.b64encode(event.body).decode()}


def from_structured(document: Mapping[str, Any]) -> Event:
    """The event of one JSON object. Raises Malformed."""
    attributes = dict(document)
    body = b""
    if "data_base64" in attributes:
        try:
            body = base64.b64decode(attributes.pop("data_base64"), validate=True)
        except (ValueError, TypeError):
            raise Malformed("data_base64 is not base64") from None
    if "data" in attributes:
        data = attributes.pop("data")
        attributes["datacontenttype"] = attributes.get("datacontenttype") or JSON  # which the JSON format implies
        text = isinstance(data, str) and not isloads(attributes["datacontenttype"])
        try:
            body = data.encode() if text else dumps(data)
        except ValueError:
            raise Malformed("the data holds half a character or a number out of range") from None
    return _event({k: _text(k, v) for k, v in attributes.items() if v is not None}, body)


def outgoing(emit: Any, source: str, cause: Event | None = None) -> Event:
    """
    Make the event of a `domain.events.Emit`.

    Its id follows from type, subject and cause; it carries the trace of its request, else that of the event which led
    to it (https://github.com/cloudevents/spec, distributed tracing), and passes `correlationid` on.
    """
    contract, before = emit.contract, dict(cause.extensions) if cause else {}
    passed = {"correlationid": before["correlationid"]} if "correlationid" in before else {}
    trace = telemetry.apart(telemetry.onward(emit.traceparent or telemetry.together(before)))
    return Event(
        id=event_id(contract.TYPE, contract.subject(), emit.cause),
        source=f"/parley/{source}",
        type=contract.TYPE,
        subject=contract.subject(),
        extensions={**passed, **trace, **contract.extensions()},
        body=dumps(contract.model_dump(mode="json")),
    )


def to_cloudevent(event: Event) -> "CloudEvent":
    """The event as parliament wants a reply: attributes already encoded for headers, always with a content type."""
    from cloudevents.http import CloudEvent  # gone in its second version: who serves without parliament needs none

    attributes = {name: quote(value, safe=_PLAIN) for name, value in event.attributes().items()}
    attributes["datacontenttype"] = event.datacontenttype or JSON
    return CloudEvent(attributes, event.data)


def dumps(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8. NaN and infinity are refused with ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def signed(event: Event, key: str) -> Event:
    """The event with the extension `signature`: HMAC-SHA256 over its id and canonical data, hexadecimal."""
    return replace(event, extensions={**event.extensions, "signature": _signature(event, key)})


def is_signed(event: Event, keys: Iterable[str]) -> bool:
    """Whether one of `keys` made the event's signature; compared in constant time. Several keys allow rotation."""
    given = event.extensions.get("signature", "").encode()
    return any(hmac.compare_digest(given, _signature(event, key).encode()) for key in keys)


def _signature(event: Event, key: str) -> str:
    message = event.id.encode() + b"." + dumps(event.data)
    return hmac.new(key.encode(), message, hashlib.sha256).hexdigest()


def _decode(name: str, value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise Malformed(f"{name[:40]} is not UTF-8") from None


def _structured(media: str, body: bytes) -> Event:
    if media not in ("application/cloudevents", "application/cloudevents+json"):
        raise Malformed("only the JSON format is accepted")
    document = loads(body)
    if not isinstance(document, dict):
        raise Malformed("a structured event is a JSON object")
    return from_structured(document)


def _event(attributes: dict[str, str], body: bytes) -> Event:
    if attributes.pop("specversion", None) != "1.0":
        raise Malformed("specversion must be 1.0")
    if missing := [name for name in _REQUIRED if not attributes.get(name)]:
        raise Malformed(f"{missing[0]} is missing")
    time = attributes.pop("time", None)
    if time is not None and not _is_time(time):
        raise Malformed("time is not an RFC 3339 timestamp")
    core = {name: attributes.pop(name) for name in _REQUIRED}
    subject, schema, content_type = (attributes.pop(n, None) for n in ("subject", "dataschema", "datacontenttype"))
    if wrong := [name for name in attributes if not _NAME.match(name)]:
        raise Malformed(f"{wrong[0][:40]!r} is not an attribute name")
    return Event(core["id"], core["source"], core["type"], subject, time, schema, content_type, attributes, body)


def _is_time(text: str) -> bool:
    try:
        return bool(_TIME.match(text)) and datetime.fromisoformat(text.upper()).tzinfo is not None
    except ValueError:
        return False


def loads(body: bytes) -> Any:
    """Read JSON, strictly: UTF-8, no NaN. Raises Malformed."""
    try:
        return json.loads(body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Malformed("the body is not JSON") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    raise Malformed(f"{name[:40]} is not a string, integer or boolean")
