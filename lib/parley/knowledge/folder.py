"""
The folder of a base: its files, and what `knowledge.yaml` beside them says about some of them.

    language: de                    # of files whose language can neither be read nor told
    weights: {words: 1, meaning: 2} # how much each counts in a search; meaning more than the default suits a good model
    files:
      - match: "hr/*.pdf"           # what is for some is said here, or in the files themselves
        groups: [hr, finance]
      - match: "*.html"
        url: "https://intranet.example/{source}"
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from parley.domain.knowledge import NAME, USUAL, Weights
from parley.errors import Misconfigured
from parley.knowledge.reading import KINDS, Declared, File

RULES = "knowledge.yaml"

Group = Annotated[str, StringConstraints(pattern=rf"^{NAME.pattern}$")]


Weight = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """What is so for the files that match."""

    match: str
    groups: Annotated[tuple[Group, ...], Field(min_length=1)] | None = None
    language: str | None = None
    url: str | None = None


class Weighing(_Strict):
    """How much words and meaning count; one of them may count for nothing."""

    words: Weight = USUAL.words
    meaning: Weight = USUAL.meaning

    @model_validator(mode="after")
    def _something_counts(self) -> Self:
        if not self.words + self.meaning:
            raise ValueError("words or meaning must count for something")
        return self

    @property
    def weights(self) -> Weights:
        """Give them to those who know nothing of files."""
        return Weights(self.words, self.meaning)


class Rules(_Strict):
    """What a folder says about its files; of several rules that match, each later one says again what it names."""

    language: str = "en"
    weights: Weighing = Weighing()
    files: tuple[Rule, ...] = ()

    def of(self, source: str) -> Declared:
        """Say what is declared of a file."""
        declared: dict[str, object] = {}
        for rule in self.files:
            if fnmatchcase(source, rule.match):
                declared |= rule.model_dump(exclude_none=True, exclude={"match"})
        if url := declared.get("url"):
            declared["url"] = str(url).replace("{source}", source)
        return Declared(**declared)  # type: ignore[arg-type]  # the fields are those of Rule


@dataclass(frozen=True)
class Folder:
    """A base as its folder has it. `ignored`: files of kinds that cannot be read."""

    base: str
    files: dict[str, File]
    language: str = "en"
    weights: Weights = USUAL
    ignored: list[str] = field(default_factory=list)


def look(path: Path, base: str | None = None) -> Folder:
    """Read the files of a folder, the base being named like it. Raises Misconfigured."""
    if not path.is_dir():
        raise Misconfigured(f"{path}: is no folder")
    rules = _rules(path / RULES)
    sources = {file.relative_to(path).as_posix(): file for file in sorted(_visible(path))}
    for rule in rules.files:
        # A rule that misses its files would leave open to everybody what is for some.
        if not any(fnmatchcase(source, rule.match) for source in sources):
            raise Misconfigured(f"{path / RULES}: no file matches {rule.match!r}")
    files, ignored = {}, []
    for source, file in sources.items():
        if file.suffix.lower() not in KINDS:
            ignored.append(source)
            continue
        try:
            files[source] = File(file.read_bytes(), rules.of(source))
        except OSError as error:
            raise Misconfigured(f"{file}: cannot be read: {error.strerror}") from None
    return Folder(base or path.resolve().name, files, rules.language, rules.weights.weights, ignored)


def _visible(path: Path) -> Iterator[Path]:
    for file in path.rglob("*"):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if file.is_file() and not hidden and file != path / RULES:
            yield file


def _rules(path: Path) -> Rules:
    if not path.exists():
        return Rules()
    import yaml

    try:
        return Rules.model_validate(yaml.safe_load(path.read_text(encoding="utf-8-sig")) or {})
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(f"{path}: cannot be read as UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise Misconfigured(f"{path}{f':{mark.line + 1}' if mark else ''}: not YAML") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Misconfigured(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
