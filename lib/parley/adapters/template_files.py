"""The templates of a channel from disk: `config/templates/<channel>/`."""

from pathlib import Path

from parley.channels.templates import FILES, Templates
from parley.errors import Misconfigured


def load_templates(folder: Path, channel: str) -> Templates:
    """Read and check them. Raises Misconfigured with what is wrong, and where."""
    texts = {}
    for name in FILES[channel]:
        path = folder / "templates" / channel / name
        try:
            texts[name] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise Misconfigured(f"{path}: cannot be read") from None
    return Templates(channel, texts)
