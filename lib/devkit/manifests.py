"""
Every manifest of the project, held against strict models of exactly what it uses.

    python -m devkit.manifests    say what is wrong in triggers/, config/cluster/ and every func.yaml

The schemas of a cluster let much through that they do not know: a Trigger's misspelt `retry`, any key of a ConfigMap,
any label. Here an unknown field is an error, wherever it stands. A kind that is new to the project gets a model in
`devkit.kinds`.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from devkit import kinds, kinds_examples
from devkit.func_yaml import FuncYaml
from standalone import manifests as wiring

ROOT = Path(__file__).resolve().parents[2]

BROKER_SETTINGS = (
    "default.topic.partitions", "default.topic.replication.factor", "default.topic.config.retention.ms",
    "bootstrap.servers", "auth.secret.ref.name",
)  # fmt: skip

KINDS: dict[str, type[BaseModel]] = {
    **wiring.KINDS,
    **{
        one.__name__: one
        for one in (
            kinds.Namespace, kinds.ConfigMap, kinds.Secret, kinds.NetworkPolicy, kinds.PodDisruptionBudget, kinds.Job,
            kinds.EventType, kinds.EventPolicy, kinds.ClusterDomainClaim, kinds.DomainMapping, kinds.Kustomization,
            kinds_examples.KafkaNodePool, kinds_examples.Kafka, kinds_examples.KafkaUser,
            kinds_examples.Cluster, kinds_examples.Pooler,
        )
    },
}  # fmt: skip

Check = Callable[[Any], None]


def documents(root: Path = ROOT) -> Iterator[tuple[str, Any, Check]]:
    """Give every document of every manifest: where it is, what it says, and what raises ValueError if it is wrong."""
    funcs = [*sorted(root.glob("functions/*/func.yaml")), root / "func.yaml"]
    offered = _referred(funcs)
    patches = sorted((root / "config" / "cluster" / "serving").glob("*.yaml"))
    for path in funcs:
        yield from _read(root, path, _func_yaml)
    for path in patches:
        yield from _read(root, path, _patch)
    folders = (root / "triggers", root / "config" / "cluster")
    manifests = {path for folder in folders for path in [*folder.rglob("*.yaml"), *folder.rglob("Kustomization")]}
    for path in sorted(manifests - set(patches)):
        yield from _read(root, path, lambda said: _object(said, offered))


def problems(root: Path = ROOT) -> list[str]:
    """Say what is wrong, a line for each document."""
    found = []
    for where, said, check in documents(root):
        try:
            check(said)
        except ValueError as error:
            found.append(f"{where}: {_told(error)}")
    return found


def _read(root: Path, path: Path, check: Check) -> Iterator[tuple[str, Any, Check]]:
    said = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    for number, one in enumerate(said, start=1):
        yield f"{path.relative_to(root)}" + (f" ({number})" if len(said) > 1 else ""), one, check


def _func_yaml(said: Any) -> None:
    FuncYaml.model_validate(said)


def _patch(said: Any) -> None:
    kinds.Patch.validate_python(said)


def _object(said: Any, offered: set[tuple[str, str, str]]) -> None:
    kind = said.get("kind") if isinstance(said, dict) else None
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}: no model of it in devkit.manifests")
    wakes = kind == "Trigger" and str(said.get("metadata", {}).get("name")).startswith("wake-")
    model = (kinds.WakeTrigger if wakes else KINDS[kind]).model_validate(said)
    _attributes(said.get("spec"))
    if isinstance(model, kinds.ConfigMap):
        _settings("configMap", model.metadata.name, set(model.data), offered)
    if isinstance(model, kinds.Secret):
        _settings("secret", model.metadata.name, set(model.string_data), offered)


def _settings(kind: str, name: str, given: set[str], offered: set[tuple[str, str, str]]) -> None:
    """Raise ValueError unless exactly the keys are there that somebody refers to."""
    known = {key for of, whose, key in offered if (of, whose) == (kind, name)}
    if given != known:
        raise ValueError(f"unknown or missing keys: {', '.join(sorted(given ^ known))}")


# What Parley's events carry, and so all that a filter may ask for.
ATTRIBUTES = {"type", "source", "subject", "channel", "partitionkey", "signature"}


def _attributes(spec: Any) -> None:
    """Raise ValueError for an attribute that no event of ours has: a filter on it never matches, and nobody says so."""
    if isinstance(spec, list):
        for one in spec:
            _attributes(one)
    if isinstance(spec, dict):
        for key, value in spec.items():
            if key in ("exact", "prefix", "suffix") and not set(value) <= ATTRIBUTES:
                raise ValueError(f"no event has {', '.join(sorted(set(value) - ATTRIBUTES))}")
            if key == "attributes" and isinstance(value, list) and not {one["name"] for one in value} <= ATTRIBUTES:
                raise ValueError("no event has all of these attributes")
            _attributes(value)


def _referred(funcs: list[Path]) -> set[tuple[str, str, str]]:
    """Give the keys of ConfigMaps and Secrets that are used: by a func.yaml, and by the Broker."""
    found = {("configMap", "parley-broker", key) for key in BROKER_SETTINGS}
    for path in funcs:
        for env in yaml.safe_load(path.read_text(encoding="utf-8"))["run"]["envs"]:
            if env["value"].startswith("{{"):
                kind, name, key = env["value"].strip("{} ").split(":")
                found.add((kind, name, key))
    return found


def _told(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    said = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False))
    return "; ".join(said)


if __name__ == "__main__":
    if found := problems():
        print("\n".join(found), file=sys.stderr)
        sys.exit(1)
    print(f"{sum(1 for _ in documents())} documents are as they should be")
