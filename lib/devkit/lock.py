"""
Pin everything: one lock for all, and for each function the part of it that it installs.

    python -m devkit.lock            write constraints.txt everywhere
    python -m devkit.lock --upgrade  … with the newest versions that the requirements allow
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAD = "# Every version that is installed: made by `make lock`.\ncloudevents<2\n"
COMPILE = ("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-version", "3.12")


def compiled(inputs: list[Path], constraints: Path | None, *options: str) -> str:
    """Give the pins of all packages that these requirement files lead to."""
    uv = Path(sys.executable).with_name("uv")
    limits = ["-c", str(constraints)] if constraints else []
    command = [str(uv), *COMPILE, *options, *limits, *map(str, inputs)]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout  # noqa: S603


def main(arguments: list[str]) -> None:
    """Write all locks."""
    lock = ROOT / "constraints.txt"
    before = None if "--upgrade" in arguments else lock
    inputs = [ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt"]
    lock.write_text(HEAD + compiled(inputs, before), encoding="utf-8")
    for requirements in sorted((ROOT / "functions").glob("*/requirements.txt")):
        own = requirements.with_name("constraints.txt")
        own.write_text(HEAD + compiled([requirements], lock), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
