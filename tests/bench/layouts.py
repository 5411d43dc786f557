"""Staged folders laid out as in an image."""

import os
from pathlib import Path

from devkit import images


def as_here(folder: Path, target: Path, imports: str = images.IMPORTS) -> Path:
    """Give a staged folder's bytecode a place by the paths that its modules have here, not in an image."""
    for source, place in images.modules(folder, imports):
        compiled = images.bytecode(folder, place)
        here = target / source.parent.relative_to("/") / compiled.name
        here.parent.mkdir(parents=True, exist_ok=True)
        here.unlink(missing_ok=True)
        os.link(compiled, here)
    return target
