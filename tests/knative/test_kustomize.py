"""The overlays of config/cluster, built by kustomize itself."""

import subprocess

import pytest
import yaml
from knative.go_tools import ROOT, built

CLUSTER = ROOT / "config" / "cluster"


@pytest.mark.parametrize("overlay", ["small", "production"])
def test_an_overlay_is_built_by_kustomize_itself(overlay):
    """What it gives is what the files say, once: nothing is left out, changed, or there twice."""
    module = "sigs.k8s.io/kustomize/kustomize/v5"
    program = built("kustomize", module, "v5.8.2", module)
    text = subprocess.run([program, "build", CLUSTER / overlay], check=True, capture_output=True, text=True).stdout
    given = list(yaml.safe_load_all(text))
    wanted = list(listed(CLUSTER / overlay))
    assert sorted(map(name_of, given)) == sorted(map(name_of, wanted))
    assert all(one in wanted for one in given)


def listed(folder):
    """Give the objects of a folder's kustomization, and of those that it names."""
    path = next(path for path in (folder / "kustomization.yaml", folder / "Kustomization") if path.exists())
    for part in yaml.safe_load(path.read_text(encoding="utf-8"))["resources"]:
        if (folder / part).is_dir():
            yield from listed(folder / part)
        else:
            yield from yaml.safe_load_all((folder / part).read_text(encoding="utf-8"))


def name_of(one):
    return (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"])
