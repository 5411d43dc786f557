"""The first admin key, by one command: for this machine, and for a cluster by what kubectl is told."""

import json
import os
import subprocess

import pytest
from databases import run
from processes import ROOT

SCRIPT = ROOT / "lib" / "devkit" / "admin_key.sh"
KUBECTL = """#!/bin/sh
case "$*" in *" get ksvc "*) printf registry.example/request-api@sha256:1 ;; esac
for argument; do printf '%s\\0' "$argument" >> "$SAID"; done; printf '\\0' >> "$SAID"
"""


def call(email, **env):
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        ["sh", SCRIPT, email], cwd=ROOT, env={**kept, **env}, capture_output=True, text=True, check=False, timeout=60
    )


def test_key_of_this_machine_is_an_admins(database_url):
    """Printed once; the row says whose and what it may."""
    done = call("root@example.org", DATABASE_URL=database_url)

    assert (done.returncode, done.stdout[:3]) == (0, "pk_"), done.stderr
    found = run(database_url, "select role, email from api_keys k join users u on u.id = k.user_id")
    assert found == [("admin", "root@example.org")]


def test_database_of_make_run_is_found(database_url, tmp_path):
    """Without DATABASE_URL it is the one that runs."""
    facts = {"port": 1, "broker_port": 2, "key": "", "database": database_url, "user": "", "pid": 3}
    (tmp_path / "running.json").write_text(json.dumps(facts), encoding="utf-8")

    done = call("root@example.org", PARLEY_HOME=str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert run(database_url, "select role from api_keys") == [("admin",)]


@pytest.fixture
def kubectl(tmp_path):
    """A kubectl that keeps what it is told; gives the settings, and what was said."""
    command, said = tmp_path / "kubectl", tmp_path / "said"
    command.write_text(KUBECTL, encoding="utf-8")
    command.chmod(0o755)

    def calls():
        text = said.read_text(encoding="utf-8") if said.exists() else ""
        return [call.split("\0") for call in text.split("\0\0") if call]

    return {"KUBECTL": str(command), "SAID": str(said), "CLUSTER": "1"}, calls


def test_cluster_makes_it_with_its_own_image_and_secret(kubectl):
    """One pod of the image that runs, which gets the database's URL by reference and goes away."""
    env, calls = kubectl

    done = call("root@example.org", **env)

    assert done.returncode == 0, done.stderr
    _, started = calls()
    assert started[:4] == ["-n", "parley", "run", "admin-key"]
    assert {"--rm", "--restart=Never", "--image=registry.example/request-api@sha256:1"} <= set(started)
    [overrides] = [json.loads(one.partition("=")[2]) for one in started if one.startswith("--overrides=")]
    [container] = overrides["spec"]["containers"]
    assert container["command"][:2] == ["/bin/sh", "-c"]
    assert container["args"][:3] == ["python", "-m", "parley.api.keys"]
    assert container["args"][3:] == ["create", "--email", "root@example.org", "--role", "admin", "--name", "first"]
    assert container["env"][-1]["valueFrom"] == {"secretKeyRef": {"name": "parley-database", "key": "url"}}


@pytest.mark.parametrize("email", ['a"b@example.org', "a@b, c@d", "$(id)@example.org", "a\\@b"])
def test_address_cannot_say_more_than_an_address(kubectl, email):
    """Nothing of it ends in what kubectl is told."""
    env, calls = kubectl

    done = call(email, **env)

    assert done.returncode == 2
    assert not any("run" in one for one in calls())
