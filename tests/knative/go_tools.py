"""
Programs in Go that tests call: pinned, built once by the Go that is there, kept in `.build/tools`.

A module is verified as Go verifies it, and what it needs by the hashes of its own go.sum: whoever builds it elsewhere
gets the same or nothing.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NO_GO = "there is no Go on this machine to build it with"


def built(name: str, module: str, version: str, source: str) -> Path:
    """
    Give a program, built when it is not there yet. Skips the test where there is no Go.

    `source` is a package of the module, or a file of ours that uses it.
    """
    program = ROOT / ".build" / "tools" / version / name
    text = Path(source).read_bytes() if source.endswith(".go") else b""
    mark = program.with_suffix(".go")  # what of ours it was built from
    if program.exists() and (mark.read_bytes() if mark.exists() else b"") == text:
        return program
    if shutil.which("go") is None:
        pytest.skip(NO_GO)
    with tempfile.TemporaryDirectory() as folder:
        _build(Path(folder), module, version, source, program)
    if text:
        mark.write_bytes(text)
    return program


def _build(folder: Path, module: str, version: str, source: str, program: Path) -> None:
    (folder / "go.mod").write_text("module tools\n", encoding="utf-8")
    there = Path(json.loads(_go(folder, "mod", "download", "-json", f"{module}@{version}"))["Dir"])
    own = (there / "go.mod").read_text(encoding="utf-8")
    (folder / "go.mod").write_text(
        re.sub(r"^module .*", "module tools", own, flags=re.MULTILINE) + f"\nrequire {module} {version}\n",
        encoding="utf-8",
    )
    shutil.copyfile(there / "go.sum", folder / "go.sum")
    if source.endswith(".go"):
        shutil.copyfile(source, folder / "main.go")
        source = "."
    _go(folder, "build", "-mod=mod", "-o", str(program), source)


def _go(folder: Path, *arguments: str) -> str:
    env = {**os.environ, "GOWORK": "off", "GOFLAGS": ""}
    done = subprocess.run(["go", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
