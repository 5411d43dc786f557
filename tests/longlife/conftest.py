"""Environments beside ours, in which what may end one day is replaced: made once, in `.build/longlife`."""

import subprocess
from pathlib import Path

import pytest
from processes import ROOT

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def environment():
    """Give the Python of an environment that has the packages of a list in this folder, and not parliament's."""

    def make(name):
        venv = ROOT / ".build" / "longlife" / name
        subprocess.run(["sh", ROOT / "lib" / "devkit" / "environment.sh", HERE / f"{name}.txt", venv], check=True)
        return venv / "bin" / "python"

    return make
