"""Configuration files from disk: what is wrong is one line with file and field."""

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


def _yaml(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: cannot be read") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise Misconfigured(f"{path}: is not YAML{line}") from None
