"""What is installed is installed once, and anew when it has changed."""

import shutil
import subprocess

import pytest
from wiring.conftest import ROOT

BOTH = ("requirements.txt", "tests.txt")


@pytest.fixture
def project(tmp_path):
    """A project with an environment whose installer writes down what it is asked for; gives what calls it, and that."""
    for folder in ("lib/devkit", ".venv/bin", ".venv/lib/python3/site-packages"):
        (tmp_path / folder).mkdir(parents=True)
    script = shutil.copy(ROOT / "lib" / "devkit" / "venv.sh", tmp_path / "lib" / "devkit")
    for name in ("constraints.txt", *BOTH):
        (tmp_path / name).write_text(f"{name}\n", encoding="utf-8")
    programs = tmp_path / ".venv" / "bin"
    for name, does in (("python", "exit 0"), ("uv", f'[ "$1" = --version ] || echo "$*" >>{tmp_path}/asked')):
        (programs / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (programs / name).chmod(0o755)

    def install(*files):
        """Call it; gives how often something was installed so far."""
        subprocess.run(["sh", script, *files], check=True, capture_output=True)
        return len((tmp_path / "asked").read_text(encoding="utf-8").splitlines())

    return tmp_path, install


def test_what_is_installed_for_the_tests_serves_for_running(project):
    """Whoever has run the tests waits for nothing when they start it; the other way round there is more to install."""
    folder, install = project

    assert [install(*BOTH), install(BOTH[0]), install(*BOTH)] == [1, 1, 1]
    (folder / ".venv" / ".installed").unlink()
    assert [install(BOTH[0]), install(*BOTH)] == [2, 3]


def test_what_was_installed_under_other_versions_counts_no_more(project):
    """Back and forth between two sets of them, each is installed anew."""
    folder, install = project
    counts = []

    for versions in ("one", "two", "one"):
        (folder / "constraints.txt").write_text(versions, encoding="utf-8")
        counts.append(install(*BOTH))

    assert counts == [1, 2, 3]
