"""
What would be in an image: each staged folder with its own hash-pinned requirements, on each Python, alone.

`make test-images` runs these; the Pythons and their packages are kept in `.build/venvs`.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bench import layouts, starting
from bench.world import world

from devkit import images, sbom, stage
from standalone.host import free_ports

NAMES = stage.names()
PYTHONS = ("3.12", "3.13")


@pytest.fixture(scope="module")
def around(tmp_path_factory):
    """The environment of every function, and its first event."""
    with world(tmp_path_factory.mktemp("world")) as found:
        yield found


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """Stage a function once; gives its folder."""
    build = tmp_path_factory.mktemp("build")

    def make(name):
        stage.stage(name, build)
        return build / name

    return make


def start(folder, python, env, post):
    """Start what the Procfile says, with this Python alone: until it is ready, and has answered its first event."""
    [port] = free_ports(1)
    (web,) = (folder / "Procfile").read_text(encoding="utf-8").removeprefix("web: ").splitlines()
    command = [part for part in shlex.split(web) if not part.startswith(("env", "PYTHONPYCACHEPREFIX="))]
    assert command[0] == "python"
    here = {**env, "PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}
    return starting.measure([str(python), *command[1:]], folder, here, port, post)


@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.parametrize("name", NAMES)
def test_it_starts_alone_and_answers_its_health_and_an_event(name, version, staged, around):
    """Its whole work: a row waits for it, and whoever it sends to listens. 2xx, or the function's own no."""
    if version != images.version_of(stage.ROOT) and images.interpreter(version) is None:
        pytest.skip(f"there is no Python {version} on this machine, and none can be fetched")
    env, events = around
    folder = staged(name)
    start(folder, images.python_with(folder, version), env(name), events.of(name))


def pip(python, *arguments, cwd, **env):
    """Run pip as a builder does; gives what it says."""
    command = [str(python), "-m", "pip", *arguments]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_buildpack_installs_it(staged, around, tmp_path):
    """Paketo's command, func's constraints, and the Procfile: pack."""
    env, events = around
    folder, layer = staged("recover"), tmp_path / "layer"
    arguments = ("--exists-action=w", "--compile", "--user", "--disable-pip-version-check")
    python = base_python()
    settings = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONUSERBASE": str(layer),
        "PIP_CONSTRAINT": "constraints.txt",
    }
    pip(python, "install", *arguments, "--requirement=requirements.txt", cwd=folder, **settings)
    (packages,) = layer.glob("lib/python3*/site-packages")
    start(folder, python, {**env("recover"), "PYTHONPATH": str(packages)}, events.of("recover"))


def test_s2i_installs_it(staged, around, tmp_path):
    """func's own script: no constraints, then one that must change nothing; and app.sh."""
    env, events = around
    folder = tmp_path / "src"
    stage.stage("recover", tmp_path)
    (tmp_path / "recover").rename(folder)
    venv = tmp_path / "app-root"
    subprocess.run([base_python(), "-m", "venv", venv], check=True)
    python = venv / "bin" / "python"
    before = pip(python, "install", "-r", "requirements.txt", cwd=folder)
    after = pip(python, "install", "cloudevents<2", cwd=folder)
    assert "Successfully installed" in before
    assert "Successfully installed" not in after
    [port] = free_ports(1)
    here = {**env("recover"), "PORT": str(port), "PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
    starting.measure(["./app.sh"], folder, here, port, events.of("recover"))


def base_python():
    """Give a Python with pip, outside of any venv."""
    return Path(sys.base_prefix) / "bin" / "python3"


def test_bytecode_of_everything_that_is_imported_goes_along_and_fits(staged, tmp_path):
    """Python's own modules, the requirements' and ours: a start from zero compiles none of them."""
    folder = staged("recover")
    count = images.compile_folder(folder)
    python = images.python_with(folder, images.version_of(folder))
    cache = layouts.as_here(folder, tmp_path / "cache")
    command = [python, "-v", "-c", "import sys; sys.path.insert(0, '.'); import parley.serve, func"]
    env = {"PYTHONPYCACHEPREFIX": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
    said = subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True, text=True).stderr

    assert count > 300
    assert said.count("# code object from") > 300
    assert [line for line in said.splitlines() if re.match(r"# code object from .*\.py$", line)] == []


def test_bytecode_that_is_there_stays(staged):
    """func builds anew what has changed."""
    folder = staged("recover")
    count = images.compile_folder(folder)
    begun = time.time_ns()

    assert images.compile_folder(folder) == count
    assert all(path.stat().st_mtime_ns < begun for path in (folder / images.CACHE).rglob("*.pyc"))


def test_what_an_image_holds_is_told(staged, tmp_path):
    """Each package of the function's requirements in its version, and what needs what: nothing else."""
    folder = staged("recover")
    said = json.loads(sbom.write(folder, tmp_path / "recover.cdx.json").read_text(encoding="utf-8"))

    pins = re.findall(r"^(\S+)==(\S+)", (folder / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    told = {(one["name"].lower().replace("_", "-"), one["version"]) for one in said["components"]}
    assert told == set(pins)
    assert all(one["purl"].startswith("pkg:pypi/") for one in said["components"])
    assert len(said["dependencies"]) >= len(pins)
