"""Agents from a folder of YAML files; what is wrong is one line with file and line."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parley.agents.config import AgentSet, Invalid, parse
from parley.errors import Misconfigured

if TYPE_CHECKING:
    from yaml.nodes import Node

Where = tuple[str | int, ...]
DEEPEST = 3  # an agent is no deeper: what lies below cannot be valid, and a YAML alias may go round in circles


def load(folder: Path) -> AgentSet:
    """Read `<folder>/*.yaml`, one agent in each, named like its file. Raises Misconfigured."""
    files = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    if not files:
        raise Misconfigured(f"{folder}: no agents (*.yaml) here")
    read = {name: _read(path) for name, path in files.items()}
    try:
        return parse({name: content for name, (content, _) in read.items()})
    except Invalid as error:
        line = _line(read[error.agent][1], error.where)
        why = ": ".join(filter(None, (error.field, error.why)))
        raise Misconfigured(f"{files[error.agent]}:{line}: {why}") from None
    except Misconfigured as error:
        raise Misconfigured(f"{folder}: {error}") from None


def _read(path: Path) -> tuple[Any, dict[Where, int]]:
    """Give the content of a file, and the line (from 1) on which each field stands."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig")
        node = yaml.compose(text, yaml.CSafeLoader)
        lines = {} if node is None else dict(_lines(node, (), path))
        return yaml.load(text, yaml.CSafeLoader), lines
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(f"{path}: cannot be read as UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or "not YAML"
        raise Misconfigured(f"{path}{line}: {' '.join(why.split())}") from None
    except ValueError as error:
        raise Misconfigured(f"{path}: {error}") from None  # a value that looks like a date and is none


def _lines(node: "Node", where: Where, path: Path) -> Iterator[tuple[Where, int]]:
    import yaml

    yield where, node.start_mark.line + 1
    if len(where) == DEEPEST:
        return
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _lines(item, (*where, index), path)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise Misconfigured(f"{path}:{key.start_mark.line + 1}: {name} stands here twice")
            seen.add(name)
            yield from _lines(value, (*where, name), path)
            yield (*where, name), key.start_mark.line + 1


def _line(lines: dict[Where, int], where: Where) -> int:
    """Find the line of a field; of what holds it when it is missing."""
    while where and where not in lines:
        where = where[:-1]
    return lines.get(where, 1)
