"""What `make run` has started here, as it says itself: `running.json` in its home, which it takes back at its end."""

import json
from pathlib import Path
from typing import Any

from parley.errors import Misconfigured

SAID = frozenset({"port", "broker_port", "key", "database", "user", "pid"})  # and more; see `standalone.banner.Facts`


def path(home: Path) -> Path:
    """Give where it is said."""
    return home / "running.json"


def read(home: Path) -> dict[str, Any] | None:
    """Give what runs here; None when nothing does. Raises Misconfigured for a file that says something else."""
    said = path(home)
    try:
        facts = json.loads(said.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Misconfigured(f"{said}: {error.strerror}") from None
    except ValueError:
        facts = None
    if not isinstance(facts, dict) or not facts.keys() >= SAID:
        raise Misconfigured(f"{said}: does not say what runs here; remove it, or start again with `make run`")
    return facts
