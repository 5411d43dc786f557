"""
Say what is in an image: a bill of materials (CycloneDX 1.6, JSON) of each function, made by CycloneDX's own tool.

    python -m devkit.sbom NAME…|all    write .build/sbom/NAME.cdx.json

Of what the function's hash-pinned requirements install on the image's Python: packages, versions, licences, and what
needs what. The buildpack adds a list of its own for Python itself and the system.
"""

import subprocess
import sys
from pathlib import Path

from devkit import images
from devkit.stage import BUILD, chosen, stage

FOLDER = BUILD / "sbom"


def main(arguments: list[str]) -> int:
    """Write what is named. Returns the exit status."""
    names = chosen(arguments)
    for name in names:
        stage(name)
        print(write(BUILD / name, FOLDER / f"{name}.cdx.json"))
    return 0 if names else 2


def write(folder: Path, target: Path) -> Path:
    """Write what a staged folder's image holds."""
    target.parent.mkdir(parents=True, exist_ok=True)
    python = images.python_with(folder, images.version_of(folder))
    options = ("--output-reproducible", "--spec-version", "1.6", "--output-file", str(target))
    command = [sys.executable, "-m", "cyclonedx_py", "environment", *options, str(python)]
    subprocess.run(command, check=True)  # noqa: S603
    return target


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
