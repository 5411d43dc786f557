"""
The Kubernetes objects of `triggers/`, as far as the local broker can do what they say; any other field is an error.

A Broker's and a Trigger's own schemas keep unknown fields, so that a cluster takes a misspelt `retry` without a word.
"""

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?\Z")
_SCHEDULE = re.compile(r"(?:\*|\*/([1-9]|[1-5]\d))(?: \*){4}\Z")


def seconds(text: str) -> float:
    """Seconds of an ISO 8601 duration of days, hours, minutes and seconds. Raises ValueError."""
    found = _DURATION.match(text)
    if not found or text.endswith(("P", "T")):
        raise ValueError(f"{text!r} is no ISO 8601 duration such as PT2S")
    days, hours, minutes, rest = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def every_minutes(schedule: str) -> int:
    """The n of the cron schedule `*/n * * * *` (1 for `* * * * *`). Raises ValueError for any other."""
    found = _SCHEDULE.match(schedule)
    if not found:
        raise ValueError(f"{schedule!r}: only `* * * * *` and `*/n * * * *` are known here")
    return int(found[1] or 1)


def _duration(text: str) -> str:
    seconds(text)
    return text


def _some_time(text: str) -> str:
    if not seconds(text):
        raise ValueError("must be longer than nothing")
    return text


def _schedule(text: str) -> str:
    every_minutes(text)
    return text


def _json_text(text: str) -> str:
    json.loads(text)
    return text


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
Attribute = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*$")]
Value = Annotated[str, StringConstraints(min_length=1)]
Attributes = Annotated[dict[Attribute, Value], Field(min_length=1)]
Duration = Annotated[str, AfterValidator(_duration)]


class Strict(BaseModel):
    """No unknown field, no conversion, no change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FilterSpec(Strict):
    """One filter: exactly one dialect."""

    exact: Attributes | None = None
    prefix: Attributes | None = None
    suffix: Attributes | None = None
    all: Annotated[list["FilterSpec"], Field(min_length=1)] | None = None
    any: Annotated[list["FilterSpec"], Field(min_length=1)] | None = None
    not_: "FilterSpec | None" = Field(None, alias="not")
    cesql: Any = None

    @model_validator(mode="after")
    def _one_dialect(self) -> Self:
        if self.cesql is not None:
            raise ValueError("the dialect cesql is not known here")
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("must have exactly one of exact, prefix, suffix, all, any, not")
        return self


class ServiceRef(Strict):
    """A reference to a Knative Service."""

    api_version: Literal["serving.knative.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["Service"]
    name: Name
    namespace: Name | None = None


class BrokerRef(Strict):
    """A reference to the Broker."""

    api_version: Literal["eventing.knative.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["Broker"]
    name: Name
    namespace: Name | None = None


class ToService(Strict):
    """A destination that is a Service."""

    ref: ServiceRef


class ToBroker(Strict):
    """A destination that is the Broker."""

    ref: BrokerRef


class DeliverySpec(Strict):
    """How to deliver. `format` and `retryAfterMax` are unknown: the Kafka broker ignores them."""

    retry: Annotated[int, Field(ge=0)] = 0
    backoff_policy: Literal["linear", "exponential"] = Field("exponential", alias="backoffPolicy")
    backoff_delay: Duration = Field("PT0.2S", alias="backoffDelay")
    timeout: Annotated[str, AfterValidator(_some_time)] = "PT600S"
    dead_letter_sink: ToService = Field(alias="deadLetterSink")


class Named(Strict):
    """Metadata of an object that takes no annotation."""

    name: Name
    namespace: Name
    labels: dict[str, str] = {}


class BrokerAnnotations(Strict):
    """The class of the broker: the local one behaves as Kafka's does."""

    broker_class: Literal["Kafka"] = Field(alias="eventing.knative.dev/broker.class")


class BrokerMetadata(Named):
    """Metadata of a Broker."""

    annotations: BrokerAnnotations


class ConfigRef(Strict):
    """Where a cluster finds the Broker's settings; nothing here."""

    api_version: Literal["v1"] = Field(alias="apiVersion")
    kind: Literal["ConfigMap"]
    name: Name
    namespace: Name


class BrokerSpec(Strict):
    """A Broker's specification."""

    config: ConfigRef | None = None
    delivery: DeliverySpec | None = None


class BrokerObject(Strict):
    """A Broker."""

    api_version: Literal["eventing.knative.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["Broker"]
    metadata: BrokerMetadata
    spec: BrokerSpec = BrokerSpec()


class TriggerAnnotations(Strict):
    """The order of delivery."""

    order: Literal["ordered", "unordered"] = Field("unordered", alias="kafka.eventing.knative.dev/delivery.order")


class TriggerMetadata(Named):
    """Metadata of a Trigger."""

    annotations: TriggerAnnotations = Field(default_factory=lambda: TriggerAnnotations.model_validate({}))


class AttributesFilter(Strict):
    """The older form of a filter: exact values."""

    attributes: Attributes


class TriggerSpec(Strict):
    """A Trigger's specification."""

    broker: Name
    filter: AttributesFilter | None = None
    filters: Annotated[list[FilterSpec], Field(min_length=1)] | None = None
    subscriber: ToService
    delivery: DeliverySpec | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.filter and self.filters:
            raise ValueError("filters would override filter: use one of them")
        return self


class TriggerObject(Strict):
    """A Trigger."""

    api_version: Literal["eventing.knative.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["Trigger"]
    metadata: TriggerMetadata
    spec: TriggerSpec


class PingSpec(Strict):
    """A PingSource's specification."""

    schedule: Annotated[str, AfterValidator(_schedule)]
    timezone: Literal["UTC", "Etc/UTC"] | None = None
    content_type: Literal["application/json"] = Field(alias="contentType")
    data: Annotated[str, AfterValidator(_json_text)]
    sink: ToService


class PingObject(Strict):
    """A PingSource."""

    api_version: Literal["sources.knative.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["PingSource"]
    metadata: Named
    spec: PingSpec


class BindingSpec(Strict):
    """A SinkBinding's specification."""

    subject: ServiceRef
    sink: ToBroker


class BindingObject(Strict):
    """A SinkBinding: its subject finds the Broker in K_SINK."""

    api_version: Literal["sources.knative.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["SinkBinding"]
    metadata: Named
    spec: BindingSpec


KINDS: dict[str, type[BrokerObject | TriggerObject | PingObject | BindingObject]] = {
    "Broker": BrokerObject,
    "Trigger": TriggerObject,
    "PingSource": PingObject,
    "SinkBinding": BindingObject,
}
