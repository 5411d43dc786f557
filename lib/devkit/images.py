"""
What an image of a function holds besides its folder: a Python with the function's own requirements, and bytecode.

    python -m devkit.images NAME…|all    put bytecode beside what is staged

The buildpack's images have no bytecode, and hide what Python itself would bring: times of files are reset, so that what
was compiled at the build looks old, and a start from zero compiles everything again: four times as slow. So what is
staged brings its own, in `.pycache`, of all modules that a function imports: its own, its requirements' and Python's.
Each carries the hash of its source: one that does not fit, such as after an update of the image's Python, is as if it
were not there. The Procfile says where it is. s2i's images need none of this.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from devkit.stage import BUILD, chosen

VENVS = BUILD / "venvs"
CACHE = ".pycache"
IMPORTS = "import parley.serve, func"  # what a start imports
# Where the buildpack's images have what a venv has.
WORKSPACE = Path("/workspace")
STANDARD = Path("/layers/paketo-buildpacks_cpython/cpython/lib")
PACKAGES = Path("/layers/paketo-buildpacks_pip-install/packages/lib")

# Prints where the modules are that a function imports, at its start and later: those that a module of ours imports
# within a function are imported, too.
_IMPORTED = """
import ast, importlib, json, sys
sys.path[:0] = [".", "lib"]
exec(sys.argv[1])
seen = set()
while new := [m for n, m in list(sys.modules.items()) if n.split(".")[0] in ("parley", "func") and n not in seen]:
    for module in new:
        seen.add(module.__name__)
        for node in ast.walk(ast.parse(open(module.__file__, encoding="utf-8").read())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
                if node.module.split(".")[0] == "parley":
                    names += [f"{node.module}.{a.name}" for a in node.names]
            for name in names:
                try:
                    importlib.import_module(name)
                except ImportError:
                    pass  # what another function needs
files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
print(json.dumps([file for file in files if file.endswith(".py")]))
"""


def main(arguments: list[str]) -> int:
    """Compile what is named. Returns the exit status."""
    names = chosen(arguments)
    for name in names:
        print(f"compiled {name}: {compile_folder(BUILD / name)} modules")
    return 0 if names else 2


def python_with(folder: Path, version: str) -> Path:
    """
    Give a Python of this version (3.12) that has a staged folder's requirements, by their hashes, and nothing else.

    Folders with the same requirements share one; files are shared with uv's cache.
    """
    digest = hashlib.sha256((folder / "requirements.txt").read_bytes()).hexdigest()[:16]
    venv = VENVS / f"{digest}-{version}"
    if not (venv / ".complete").exists():
        uv = Path(sys.executable).with_name("uv")
        fresh = venv.with_name(f"{venv.name}.{os.getpid()}")
        if (base := interpreter(version)) is None:
            raise SystemExit(f"there is no Python {version} here, and uv can fetch none")
        _run(uv, "venv", "--quiet", "--python", base, fresh)
        python = fresh / "bin" / "python"
        options = ("--quiet", "--require-hashes", "--no-deps", "--python", python)
        _run(uv, "pip", "install", *options, "-r", folder / "requirements.txt")
        (fresh / ".complete").touch()
        try:
            fresh.rename(venv)
        except OSError:  # somebody else was first
            shutil.rmtree(fresh)
    return venv / "bin" / "python"


def interpreter(version: str) -> str | None:
    """Give a Python of this version that works: one that is here, else one that uv fetches. None: there is none."""
    homes = Path.home() / ".pyenv" / "versions"
    named = [sys.executable, f"python{version}", *map(str, homes.glob(f"{version}.*/bin/python"))]
    for candidate in filter(None, map(shutil.which, named)):
        code = f"import sys; sys.exit('{version}' != '%d.%d' % sys.version_info[:2])"
        if subprocess.run([candidate, "-c", code], capture_output=True, check=False).returncode == 0:  # noqa: S603
            return candidate
    uv = Path(sys.executable).with_name("uv")
    for command in (["install", "--quiet"], ["find"]):
        done = subprocess.run([uv, "python", *command, version], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            return None
    return done.stdout.strip()


def compile_folder(folder: Path, imports: str = IMPORTS) -> int:
    """Bring a staged folder's bytecode up to date; gives the number of its modules."""
    wanted = {bytecode(folder, place): (source, place) for source, place in modules(folder, imports)}
    job = [(str(source), str(target), str(place)) for target, (source, place) in wanted.items()]
    _run(python_with(folder, version_of(folder)), "-c", _COMPILE, stdin=json.dumps(job))
    for path in (folder / CACHE).rglob("*.pyc"):
        if path not in wanted:
            path.unlink()
    return len(wanted)


def modules(folder: Path, imports: str = IMPORTS) -> list[tuple[Path, Path]]:
    """Give every module that the function in a staged folder imports: where it is here, and in an image."""
    python = python_with(folder, version_of(folder))
    sources = [Path(path) for path in json.loads(_run(python, "-c", _IMPORTED, imports, cwd=folder))]
    return [(source, place) for source in sources if (place := _in_image(source, folder))]


def bytecode(folder: Path, place: Path) -> Path:
    """Give the file with the bytecode of the module that an image has at `place`."""
    tag = f"cpython-{version_of(folder).replace('.', '')}"
    return folder / CACHE / place.parent.relative_to("/") / f"{place.stem}.{tag}.pyc"


# By the Python whose bytecode it is. What is there and fits stays as it is: func builds anew what has changed.
_COMPILE = """
import json, os, py_compile, sys
from importlib.util import source_hash
for source, target, place in json.load(sys.stdin):
    try:
        with open(target, "rb") as there, open(source, "rb") as said:
            if there.read(16)[8:] == source_hash(said.read()):
                continue
    except FileNotFoundError:
        pass
    os.makedirs(os.path.dirname(target), exist_ok=True)
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    py_compile.compile(source, cfile=target, dfile=place, doraise=True, invalidation_mode=mode)
"""


def version_of(folder: Path) -> str:
    """Give the version of Python that func.yaml asks the buildpack for."""
    envs = yaml.safe_load((folder / "func.yaml").read_text(encoding="utf-8"))["build"]["buildEnvs"]
    (value,) = (env["value"] for env in envs if env["name"] == "BP_CPYTHON_VERSION")
    found = re.fullmatch(r"(\d+\.\d+)\.\*", value)
    assert found, "a version such as 3.12.*"
    return found[1]


def _in_image(source: Path, folder: Path) -> Path | None:
    """Give where an image has a module that is here."""
    parts = source.parts
    if source.is_relative_to(folder):
        return WORKSPACE / source.relative_to(folder)
    version = next((number for number, part in enumerate(parts) if re.fullmatch(r"python3\.\d+", part)), None)
    if version is None:
        return None
    return Path(PACKAGES if "site-packages" in parts else STANDARD, *parts[version:])


def _run(*command: object, cwd: Path | None = None, stdin: str | None = None) -> str:
    done = subprocess.run(  # noqa: S603
        [str(part) for part in command], cwd=cwd, input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{done.stderr or done.stdout}{command[0]}: exit status {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
