"""What func itself, in the version that deploys them, makes of the functions' folders."""

import subprocess
from pathlib import Path

import pytest
from knative.go_tools import ROOT, built

from devkit import stage

MODULE, VERSION = "knative.dev/func", "v0.50.1"  # of Knative 1.23


@pytest.fixture(scope="module")
def func():
    """func's library behind two commands, which say what `kn func` thinks and sends."""
    return built("func", MODULE, VERSION, str(Path(__file__).with_name("func.go")))


@pytest.mark.parametrize("name", [*stage.names(), stage.WHOLE])
def test_func_takes_what_is_staged_for_a_function_of_parliaments(func, name, tmp_path):
    """So it is built by Procfile or app.sh, as it is; and func.yaml says nothing that func does not know."""
    stage.stage(name, tmp_path)

    said = subprocess.run([func, "check", tmp_path / name], check=True, capture_output=True, text=True)

    kind = "http" if name in ("slack-ingest", "request-api", "mcp-service-desk", "parley") else "cloudevent"
    assert said.stdout.split() == [name, "python", kind, "true", "true", "false"]
    assert said.stderr == ""


def test_func_warns_of_a_field_that_it_does_not_know_and_of_no_other(func, tmp_path):
    """Only warns: devkit.manifests is what refuses it."""
    stage.stage("recover", tmp_path)
    path = tmp_path / "recover" / "func.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("healthEndpoints", "healthEndpoint"), encoding="utf-8")

    said = subprocess.run([func, "check", tmp_path / "recover"], check=False, capture_output=True, text=True)

    assert "healthEndpoint" in said.stderr
    assert ROOT not in tmp_path.parents
