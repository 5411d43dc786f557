"""
Pin everything: one lock for all, and for each function the part of it that it installs.

    python -m devkit.lock            write constraints.txt everywhere, and requirements.lock
    python -m devkit.lock --upgrade  … with the newest versions that the requirements allow

`requirements.lock` has the hashes of everything; what is staged for a function is the part of it that its
`constraints.txt` names, without what `left_out.txt` takes away. The root's begins with what the root function installs,
then has what only laptops, and what only the tests need.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAD = "# Every version that is installed: made by `make lock`.\ncloudevents<2\n"
LAPTOPS = "# What no image needs:\n"
TESTS = "# What only the tests need:\n"
IMAGES = ("--override", str(ROOT / "lib" / "devkit" / "left_out.txt"))
COMPILE = ("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-version", "3.12")


def compiled(inputs: list[Path], constraints: Path | None, *options: str) -> str:
    """Give the pins of all packages that these requirement files lead to."""
    uv = Path(sys.executable).with_name("uv")
    limits = ["-c", str(constraints)] if constraints else []
    command = [str(uv), *COMPILE, *options, *limits, *map(str, inputs)]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout  # noqa: S603


def pinned(constraints: Path) -> list[str]:
    """Give the packages of a constraints.txt that a function installs."""
    text = constraints.read_text(encoding="utf-8").split(LAPTOPS)[0]
    return [line.split("==")[0] for line in text.splitlines() if "==" in line]


def hashed(names: list[str], lock: Path) -> str:
    """Give these packages' versions and hashes, as pip and uv take them."""
    blocks: dict[str, str] = {}
    for line in lock.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.startswith((" ", "#")):
            name = line.split("==")[0]
            blocks[name] = ""
        if not line.startswith("#"):
            blocks[name] += line
    return "".join(blocks[name] for name in names)


def main(arguments: list[str]) -> None:
    """Write all locks."""
    constraints, lock = ROOT / "constraints.txt", ROOT / "requirements.lock"
    own, both = [ROOT / "requirements.txt"], [ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt"]
    everything = compiled(both, None if "--upgrade" in arguments else constraints)
    constraints.write_text(HEAD + everything, encoding="utf-8")
    images, ours = compiled(own, constraints, *IMAGES), compiled(own, constraints)
    parts = [images, LAPTOPS, _without(ours, images), TESTS, _without(everything, ours)]
    constraints.write_text(HEAD + "".join(parts), encoding="utf-8")
    hashes = compiled(both, constraints, "--generate-hashes")
    lock.write_text(
        "# The hashes of every version that is installed: made by `make lock`.\n" + hashes, encoding="utf-8"
    )
    for requirements in sorted((ROOT / "functions").glob("*/requirements.txt")):
        part = requirements.with_name("constraints.txt")
        part.write_text(HEAD + compiled([requirements], constraints, *IMAGES), encoding="utf-8")


def _without(text: str, other: str) -> str:
    lines = other.splitlines(keepends=True)
    return "".join(line for line in text.splitlines(keepends=True) if line not in lines)


if __name__ == "__main__":
    main(sys.argv[1:])
