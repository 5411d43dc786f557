"""
Agents and tools from folders of YAML files; what is wrong is one line with file and line.

`compiled.json` beside the folders holds what the files say, for functions that start from zero: it is used when it is
of the very files that lie there, and then no YAML is parsed. `make stage` writes it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parley.agents import tools
from parley.agents.config import AgentSet, Invalid, parse, revision
from parley.agents.tools import Toolbox
from parley.errors import Misconfigured

if TYPE_CHECKING:
    from yaml.nodes import Node

Where = tuple[str | int, ...]
COMPILED = "compiled.json"
FOLDERS = ("agents", "tools")
DEEPEST = 3  # an agent is no deeper: what lies below cannot be valid, and a YAML alias may go round in circles


@dataclass(frozen=True)
class Configured:
    """Everything that a turn needs to know of agents and tools; `revision` names this state of it."""

    agents: AgentSet
    tools: Toolbox
    revision: str


def load_all(folder: Path) -> Configured:
    """Read `<folder>/agents` and `<folder>/tools` (which may be missing), checked together. Raises Misconfigured."""
    read = _from_compiled(folder)
    if read is not None:
        agents, toolbox = parse(read["agents"]), tools.parse(read["tools"])
        return Configured(agents, toolbox, revision(agents, toolbox))
    agents_read = _Folder(folder / "agents")
    agents = load(folder / "agents", agents_read)
    toolbox = Toolbox()
    if (folder / "tools").is_dir():
        found = _Folder(folder / "tools")
        toolbox = found.checked(tools.parse)
    if broken := next(tools.unknown(agents, toolbox), None):
        raise agents_read.located(broken)
    return Configured(agents, toolbox, revision(agents, toolbox))


def load(folder: Path, read: "_Folder | None" = None) -> AgentSet:
    """Read `<folder>/*.yaml`, one agent in each, named like its file. Raises Misconfigured."""
    found = read or _Folder(folder)
    if not found.files:
        raise Misconfigured(f"{folder}: no agents (*.yaml) here")
    return found.checked(parse)


def compiled(folder: Path) -> bytes:
    """Give what `compiled.json` should hold. Raises Misconfigured when the files are wrong."""
    load_all(folder)
    contents = {name: _Folder(folder / name).contents() for name in FOLDERS}
    return json.dumps({"digest": _digest(folder), **contents}, sort_keys=True, default=str).encode()


def _from_compiled(folder: Path) -> dict[str, Any] | None:
    try:
        read: dict[str, Any] = json.loads((folder / COMPILED).read_bytes())
    except (OSError, ValueError):
        return None
    return read if read.get("digest") == _digest(folder) else None


def _digest(folder: Path) -> str:
    """Name the files as they lie there: SHA-256 over names and contents."""
    whole = hashlib.sha256()
    for name in FOLDERS:
        for path in sorted((folder / name).glob("*.yaml")):
            try:
                whole.update(f"{name}/{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
            except OSError:
                raise Misconfigured(f"{path}: cannot be read as UTF-8 text") from None
    return whole.hexdigest()


class _Folder:
    """The YAML files of a folder: what they say, and on which lines."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
        self._read = {name: _read(path) for name, path in self.files.items()}

    def contents(self) -> dict[str, Any]:
        return {name: content for name, (content, _) in self._read.items()}

    def checked[T](self, parse: Callable[[Mapping[str, Any]], T]) -> T:
        """Parse what the files say; a fault is told with file and line."""
        try:
            return parse(self.contents())
        except Invalid as error:
            raise self.located(error) from None
        except Misconfigured as error:
            raise Misconfigured(f"{self._folder}: {error}") from None

    def located(self, error: Invalid) -> Misconfigured:
        line = _line(self._read[error.agent][1], error.where)
        why = ": ".join(filter(None, (error.field, error.why)))
        return Misconfigured(f"{self.files[error.agent]}:{line}: {why}")


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
