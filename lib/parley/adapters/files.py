"""Configuration files from disk: what is wrong is one line with file and field."""

from pathlib import Path

from parley.domain.plan import Defaults, Invalid, parse_defaults
from parley.errors import Misconfigured


def load_defaults(path: Path) -> Defaults:
    """Read the delivery defaults (`config/integrations.yaml`). Raises Misconfigured."""
    import yaml

    try:
        return parse_defaults(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path}: cannot be read") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        raise Misconfigured(f"{path}: is not YAML{line}") from None
    except Invalid as error:
        raise Misconfigured(f"{path}: {error}") from None
