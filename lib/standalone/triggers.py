"""
The wiring: what `triggers/*.yaml` says, as frozen objects.

A cluster applies the same files. Whatever in them the local broker would not do exactly as the cluster does is refused
with a Misconfigured that names the file, the object and the field.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from parley.errors import Misconfigured
from standalone import manifests
from standalone.rules import AllOf, AnyOf, Delivery, Exact, Filter, Not, Prefix, Suffix


@dataclass(frozen=True)
class Trigger:
    """Which events go to which Service, and how."""

    name: str
    filters: tuple[Filter, ...]
    subscriber: str
    delivery: Delivery
    ordered: bool = False


@dataclass(frozen=True)
class Ping:
    """An event to the Service `sink` every `minutes` minutes of the hour; `data` is JSON text."""

    name: str
    minutes: int
    data: str
    sink: str


@dataclass(frozen=True)
class Wiring:
    """One Broker with its Triggers and sources. `bound` are the Services that a SinkBinding points to it."""

    namespace: str
    broker: str
    triggers: tuple[Trigger, ...]
    pings: tuple[Ping, ...] = ()
    bound: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Found:
    """One object of one file; its name in messages."""

    where: str
    object: Any


def load_wiring(folder: Path, functions: Collection[str]) -> Wiring:
    """Read every `*.yaml` of `folder`; `functions` are the Services that exist. Raises Misconfigured."""
    if foreign := sorted(path.name for path in folder.glob("*") if path.suffix in {".yml", ".json"}):
        raise Misconfigured(f"{foreign[0]}: a cluster would apply it, only *.yaml is read here")
    found = [one for path in sorted(folder.glob("*.yaml")) for one in _objects(path)]
    _refuse_doubles(found)
    brokers = [one for one in found if isinstance(one.object, manifests.BrokerObject)]
    if len(brokers) != 1:
        raise Misconfigured(f"{folder.name}: expected one Broker, found {len(brokers)}")
    broker = brokers[0].object
    for one in found:
        _check(one, broker, functions)
    return Wiring(
        namespace=broker.metadata.namespace,
        broker=broker.metadata.name,
        triggers=tuple(_trigger(one, broker) for one in found if isinstance(one.object, manifests.TriggerObject)),
        pings=tuple(_ping(one.object) for one in found if isinstance(one.object, manifests.PingObject)),
        bound=frozenset(o.object.spec.subject.name for o in found if isinstance(o.object, manifests.BindingObject)),
    )


class _Loader(yaml.CSafeLoader):
    """Safe, and strict about keys: YAML itself lets the last of two equal keys win."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if (text := str(key.value)) in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {text!r} is there twice", problem_mark=key.start_mark)
            seen.add(text)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def _objects(path: Path) -> Iterator[_Found]:
    try:
        documents = [one for one in yaml.load_all(path.read_text(encoding="utf-8"), _Loader) if one is not None]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path.name}: {' '.join(str(error).split())}") from None
    for document in documents:
        yield _object(path, document)


def _object(path: Path, document: Any) -> _Found:
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in manifests.KINDS:
        raise Misconfigured(f"{path.name}: kind: {kind!r} is none of {', '.join(manifests.KINDS)}")
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    where = f"{path.name}: {kind} {name}"
    try:
        return _Found(where, manifests.KINDS[kind].model_validate(document))
    except ValidationError as error:
        raise Misconfigured(f"{where}: {'; '.join(_reasons(error))}") from None


def _reasons(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False, include_context=False):
        field = ".".join(map(str, one["loc"]))
        yield f"{field}: {'unknown field' if one['type'] == 'extra_forbidden' else one['msg']}"


def _refuse_doubles(found: list[_Found]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for one in found:
        key = (one.object.kind, one.object.metadata.name)
        if key in seen:
            raise Misconfigured(f"{one.where}: metadata.name: also in {seen[key]}")
        seen[key] = one.where


def _check(one: _Found, broker: Any, functions: Collection[str]) -> None:
    """Refuse references to what does not exist here."""
    namespace, name = broker.metadata.namespace, broker.metadata.name
    if one.object.metadata.namespace != namespace:
        raise Misconfigured(f"{one.where}: metadata.namespace: the Broker's is {namespace}")
    for field, ref in _references(one.object):
        if ref.namespace not in (None, namespace):
            raise Misconfigured(f"{one.where}: {field}.namespace: the Broker's is {namespace}")
        if isinstance(ref, manifests.ServiceRef) and ref.name not in functions:
            raise Misconfigured(f"{one.where}: {field}.name: there is no function {ref.name}")
        if isinstance(ref, manifests.BrokerRef) and ref.name != name:
            raise Misconfigured(f"{one.where}: {field}.name: the Broker is {name}")
    if isinstance(one.object, manifests.TriggerObject) and one.object.spec.broker != name:
        raise Misconfigured(f"{one.where}: spec.broker: the Broker is {name}")


def _references(found: Any) -> Iterator[tuple[str, manifests.ServiceRef | manifests.BrokerRef]]:
    spec = found.spec
    if delivery := getattr(spec, "delivery", None):
        yield "spec.delivery.deadLetterSink.ref", delivery.dead_letter_sink.ref
    for field in ("subscriber", "sink"):
        if destination := getattr(spec, field, None):
            yield f"spec.{field}.ref", destination.ref
    if subject := getattr(spec, "subject", None):
        yield "spec.subject", subject


def _trigger(one: _Found, broker: Any) -> Trigger:
    spec = one.object.spec
    # A Trigger's delivery replaces the Broker's as a whole.
    delivery = spec.delivery or broker.spec.delivery
    if delivery is None:
        raise Misconfigured(f"{one.where}: spec.delivery.deadLetterSink: missing, also on the Broker")
    attributes = (Exact(tuple(spec.filter.attributes.items())),) if spec.filter else ()
    return Trigger(
        name=one.object.metadata.name,
        filters=(*attributes, *map(_filter, spec.filters or ())),
        subscriber=spec.subscriber.ref.name,
        delivery=_delivery(delivery),
        ordered=one.object.metadata.annotations.order == "ordered",
    )


def _delivery(spec: manifests.DeliverySpec) -> Delivery:
    return Delivery(
        dead_letter_sink=spec.dead_letter_sink.ref.name,
        retry=spec.retry,
        policy=spec.backoff_policy,
        delay=manifests.seconds(spec.backoff_delay),
        timeout=manifests.seconds(spec.timeout),
    )


def _filter(spec: manifests.FilterSpec) -> Filter:
    for values, kind in ((spec.exact, Exact), (spec.prefix, Prefix), (spec.suffix, Suffix)):
        if values:
            return kind(tuple(values.items()))
    if spec.all:
        return AllOf(tuple(map(_filter, spec.all)))
    if spec.any:
        return AnyOf(tuple(map(_filter, spec.any)))
    assert spec.not_, "the schema lets exactly one dialect through"
    return Not(_filter(spec.not_))


def _ping(found: manifests.PingObject) -> Ping:
    spec = found.spec
    minutes = manifests.every_minutes(spec.schedule)
    return Ping(found.metadata.name, minutes, spec.data, spec.sink.ref.name)
