"""Configuration files from disk: what is wrong is one line with file and field."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parley.domain.plan import Defaults, Invalid, parse_defaults
from parley.errors import Misconfigured


def load_defaults(path: Path) -> Defaults:
    """Read the delivery defaults (`config/integrations.yaml`). Raises Misconfigured."""
    try:
        return parse_defaults(_yaml(path))
    except Invalid as error:
        raise Misconfigured(f"{path}: {error}") from None


def load_prompts(path: Path) -> Sequence[dict[str, str]]:
    """Read what is suggested to ask (`config/slack.yaml`): up to four of title and message. Raises Misconfigured."""
    document = _yaml(path)
    prompts = document.get("prompts") if isinstance(document, dict) else None
    if not isinstance(prompts, list) or len(prompts) > 4 or not all(map(_is_prompt, prompts)):
        raise Misconfigured(f"{path}: prompts: a list of at most four, each with a title and a message")
    return prompts


def _is_prompt(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"title", "message"}
        and all(isinstance(v, str) for v in value.values())
    )


def compiled(path: Path) -> bytes:
    """Give what a file says as JSON, to lie beside it as `NAME.json`: no YAML is parsed then. Raises Misconfigured."""
    text = path.read_bytes()
    return json.dumps({"digest": hashlib.sha256(text).hexdigest(), "content": _yaml(path)}, sort_keys=True).encode()


def _from_compiled(path: Path, text: bytes) -> Any:
    """Give the content of the JSON beside a file, when it is of the very file that lies there."""
    try:
        read = json.loads(path.with_suffix(".json").read_bytes())
    except (OSError, ValueError):
        return None
    return read["content"] if read.get("digest") == hashlib.sha256(text).hexdigest() else None


def _yaml(path: Path) -> Any:
    try:
        text = path.read_bytes()
        if (known := _from_compiled(path, text)) is not None:
            return known
        import yaml

        return _parsed(path, text.decode(), yaml)
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: cannot be read") from error


def _parsed(path: Path, text: str, yaml: Any) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise Misconfigured(f"{path}: is not YAML{line}") from None
