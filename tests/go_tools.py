"""Programs in Go that tests call: pinned, built once by the Go that is there, kept in `.build/tools`."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NO_GO = "there is no Go on this machine to build it with"


def installed(name: str, package: str, version: str) -> Path:
    """Give the program `name` of a package, built when it is not there yet. Skips the test where there is no Go."""
    program = ROOT / ".build" / "tools" / version / name
    if not program.exists():
        go = shutil.which("go")
        if go is None:
            pytest.skip(NO_GO)
        command, env = [go, "install", f"{package}@{version}"], {**os.environ, "GOBIN": str(program.parent)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return program
