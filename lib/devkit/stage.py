"""
Assemble a function for `func`: its folder, the library beside it, and the configuration that it reads.

    python -m devkit.stage NAME…|all

What lies in `.build/NAME` afterwards is all that is built and deployed. Only files whose content differs are written,
so that func's build cache holds. What func itself writes stays: its `.func` folder, and its changes to func.yaml as
long as ours is the same. `parley` is the function of the repository's root, all of them in one process.
"""

import hashlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from devkit import lock
from parley.adapters import files
from parley.agents import load

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build"
# The functions that read configuration from files, and what they read.
CONFIG = {
    "agent-turn": ("agents", "tools", "integrations.yaml"),
    "request-api": ("integrations.yaml",),
    "normalize": ("slack.yaml",),
    "deliver-webhook": ("integrations.yaml",),
    "deliver-slack": ("templates/slack",),
    "deliver-email": ("templates/email",),
    "deliver-sms": ("templates/sms",),
}
STAYS = frozenset({"client", "cli", "started.py"})  # of the library: for people's machines, no function needs them
PAGE = Path("parley/api/page")  # the browser's files: for the function that serves them
WHOLE = "parley"  # the function of the root
# What it takes along, and what of that is for laptops only.
PARTS = ("lib/parley", "lib/standalone", "functions", "triggers", "config")
LEFT_OUT = ("config/cluster", "config/local.env", "lib/parley/cli", "lib/parley/client")
FOREIGN = (".func", ".gitignore", ".s2iignore", ".pycache")  # func's own, and what devkit.images makes
MARK = ".staged"  # the digest of our func.yaml at the last staging


def main(arguments: list[str]) -> int:
    """Stage what is named. Returns the exit status."""
    wanted = chosen(arguments)
    if not wanted:
        return 2
    for name in wanted:
        written = stage(name)
        print(f"staged {name}: {written} files written")
    return 0


def chosen(arguments: list[str]) -> list[str]:
    """Give the functions that are meant; none, after a word about it, when one is not known."""
    known = names()
    wanted = known if arguments == ["all"] else arguments
    if wanted and all(name in (*known, WHOLE) for name in wanted):
        return wanted
    print(f"FN is one of: all {' '.join(known)}; or {WHOLE}, all of them as one", file=sys.stderr)
    return []


def names() -> list[str]:
    """Give the functions of the project."""
    return sorted(path.parent.name for path in (ROOT / "functions").glob("*/func.yaml"))


def stage(name: str, build: Path = BUILD) -> int:
    """Bring `build/name` up to date. Returns how many files were written."""
    target = build / name
    wanted = {path: source for path, source in _files(name)}  # noqa: C416 - a later entry wins
    made = {Path("config") / path: text for path, text in _compiled(name)} | _requirements(name)
    ours = {path: source for path, source in wanted.items() if path != Path("func.yaml") and path not in made}
    written = sum(_write(source, target / path) for path, source in ours.items())
    written += _func_yaml(wanted[Path("func.yaml")], target)
    written += sum(_write_bytes(text, target / path) for path, text in made.items())
    _remove_others(target, set(wanted) | set(made))
    return written


def _files(name: str) -> Iterator[tuple[Path, Path]]:
    if name == WHOLE:
        yield from _whole()
        return
    yield from _tree(ROOT / "functions" / name, Path())
    library = ROOT / "lib" / "parley"
    for path, source in _tree(library, Path("parley")):
        if path.parts[1] not in STAYS and (name == "request-api" or not path.is_relative_to(PAGE)):
            yield path, source
    for part in CONFIG.get(name, ()):
        source = ROOT / "config" / part
        yield from _tree(source, Path("config") / part) if source.is_dir() else [(Path("config") / part, source)]


def _whole() -> Iterator[tuple[Path, Path]]:
    for part in ("func.py", "func.yaml", "Procfile", "app.sh"):
        yield Path(part), ROOT / part
    for part in PARTS:
        for path, source in _tree(ROOT / part, Path(part)):
            if not path.as_posix().startswith(LEFT_OUT):
                yield path, source


def _requirements(name: str) -> dict[Path, bytes]:
    """
    Give what is installed with its hashes: whoever builds it, with whatever options, gets these files or none.

    All of it, without what is left out: so func.yaml has pip look for no more (PIP_NO_DEPS).
    """
    constraints = ROOT / "constraints.txt" if name == WHOLE else ROOT / "functions" / name / "constraints.txt"
    made = {Path("requirements.txt"): lock.hashed(lock.pinned(constraints), ROOT / "requirements.lock").encode()}
    if name == WHOLE:
        made[Path("constraints.txt")] = lock.HEAD.encode()
    return made


def _compiled(name: str) -> Iterator[tuple[str, bytes]]:
    """Give what the YAML files say as JSON, so that a function that starts from zero parses none."""
    parts = CONFIG.get(name, ())
    if "agents" in parts:
        yield load.COMPILED, load.compiled(ROOT / "config")
    for part in parts:
        if part.endswith(".yaml"):
            yield str(Path(part).with_suffix(".json")), files.compiled(ROOT / "config" / part)


def _write_bytes(text: bytes, target: Path) -> bool:
    if target.is_file() and target.read_bytes() == text:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text)
    return True


def _tree(source: Path, under: Path) -> Iterator[tuple[Path, Path]]:
    for path in sorted(source.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield under / path.relative_to(source), path


def _write(source: Path, target: Path) -> bool:
    if target.is_file() and target.read_bytes() == source.read_bytes():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    return True


def _func_yaml(source: Path, target: Path) -> bool:
    """Take ours when it has changed since; else func's additions stay."""
    digest, mark, staged = hashlib.sha256(source.read_bytes()).hexdigest(), target / MARK, target / "func.yaml"
    if staged.is_file() and mark.is_file() and mark.read_text(encoding="ascii") == digest:
        return False
    shutil.copy2(source, staged)
    mark.write_text(digest, encoding="ascii")
    return True


def _remove_others(target: Path, wanted: set[Path]) -> None:
    for path in sorted(target.rglob("*"), reverse=True):
        inner = path.relative_to(target)
        if inner.parts[0] in FOREIGN or inner == Path(MARK) or inner in wanted:
            continue
        if path.is_file():
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
