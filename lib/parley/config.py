"""
Settings: one frozen dataclass per function, read once from the environment.

A field is the environment variable of its name in capitals. A field without a default is required. Types: str, int,
float, bool (true/false, 1/0, yes/no, on/off), Path, tuple[str, ...] (comma separated), Literal (words, in any case),
and each of them `| None`. A number is zero or more, or what its Range says: `port: Annotated[int, Range(1, 65535)]`.
"""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from parley.errors import Misconfigured

_TRUTH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclasses.dataclass(frozen=True)
class Range:
    """The least and the greatest value of a number."""

    least: float
    greatest: float


Seconds = Annotated[float, Range(0.1, 30 * 86_400)]  # a time that passes; longer than a month is a mistake
Days = Annotated[float, Range(0.01, 3650)]  # how long something is kept
Number = Annotated[int, Range(0, 1_000_000_000)]
Count = Annotated[int, Range(1, 1000)]  # how often, or how many at once


def load[T](cls: type[T], env: Mapping[str, str]) -> T:
    """
    Build `cls` from `env`.

    Raises Misconfigured, one line that names the variable, for a missing or malformed value and for a variable that
    looks like a misspelt one of ours. Values never appear in the message: they may be secrets.
    """
    hints = typing.get_type_hints(cls, include_extras=True)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(typing.cast(Any, cls)):
        name = field.name.upper()
        text = env.get(name, "").strip()
        if text:
            values[field.name] = _convert(name, text, hints[field.name])
            continue
        if misspelt := difflib.get_close_matches(name, [n for n in env if n != name], n=1, cutoff=0.92):
            raise Misconfigured(f"{misspelt[0]}: unknown variable; did you mean {name}?")
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise Misconfigured(f"{name}: required, not set")
    return cls(**values)


def _convert(name: str, text: str, hint: Any) -> Any:
    if get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    limits = None
    if get_origin(hint) is Annotated:
        hint, limits = get_args(hint)
    if get_origin(hint) is Literal:
        for choice in get_args(hint):
            if text.lower() == choice.lower():
                return choice
        raise Misconfigured(f"{name}: must be one of {', '.join(get_args(hint))}")
    if get_origin(hint) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if hint is bool:
        if text.lower() not in _TRUTH:
            raise Misconfigured(f"{name}: must be true or false")
        return _TRUTH[text.lower()]
    if hint in (int, float):
        return _number(name, text, hint, limits)
    return Path(text) if hint is Path else text


def _number(name: str, text: str, kind: type[int] | type[float], limits: Range | None) -> int | float:
    try:
        value = kind(text)
    except ValueError:
        raise Misconfigured(f"{name}: must be a number") from None
    if limits and not limits.least <= value <= limits.greatest:
        raise Misconfigured(f"{name}: must be a number from {limits.least} to {limits.greatest}")
    if not 0 <= value < math.inf:
        raise Misconfigured(f"{name}: must be a finite number, zero or more")
    return value
