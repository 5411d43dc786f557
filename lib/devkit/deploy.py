"""
Build, deploy and take away functions by `kn func`.

    python -m devkit.deploy build|deploy|undeploy NAME…|all

From the environment: REGISTRY (where images go: registry.example.org/parley), BUILDER (pack, or s2i), FUNC (`kn func`),
KUBECTL, and ARGS, which func gets as they are (`--remote`, `--verbose`, `--push` for a build). A deployment is followed
by one patch of the Service with what func.yaml cannot say: config/cluster/serving.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from devkit import images
from devkit.stage import BUILD, ROOT, chosen, stage

NAMESPACE = "parley"
SERVING = ROOT / "config" / "cluster" / "serving"
# From 1.18 to 1.22, one builder or both make images of parliament's functions that do not start.
OLDEST = (1, 23)


@dataclass(frozen=True)
class Tools:
    """The programs, and what they are told."""

    func: tuple[str, ...]
    kubectl: tuple[str, ...]
    builder: str
    registry: str
    extra: tuple[str, ...]

    @classmethod
    def of(cls, env: Mapping[str, str]) -> "Tools":
        """Read the environment."""

        def words(name: str, default: str = "") -> tuple[str, ...]:
            return tuple(shlex.split(env.get(name) or default))

        return cls(
            words("FUNC", "kn func"), words("KUBECTL", "kubectl"), env.get("BUILDER") or "pack",
            env.get("REGISTRY", ""), words("ARGS"),
        )  # fmt: skip


def main(arguments: list[str], env: Mapping[str, str]) -> int:
    """Do one thing with what is named. Returns the exit status."""
    does = {"build": build, "deploy": deploy, "undeploy": undeploy}
    verb, names, tools = arguments[0], chosen(arguments[1:]), Tools.of(env)
    if not names:
        return 2
    if refused := _refused(verb, tools):
        print(refused, file=sys.stderr)
        return 2
    for name in names:
        print(f"· {verb} {name}", flush=True)
        does[verb](name, tools)
    return 0


def build(name: str, tools: Tools) -> None:
    """Make an image."""
    _staged(name, tools)
    _run(*tools.func, "build", *_where(name, tools), *tools.extra)


def deploy(name: str, tools: Tools) -> None:
    """Make an image unless it is there, bring it to the cluster, and say what func.yaml cannot."""
    _staged(name, tools)
    _run(*tools.func, "deploy", *_where(name, tools), "--namespace", NAMESPACE, *tools.extra)
    patch = ("patch", "ksvc", name, "--type", "json", "--patch-file", str(SERVING / f"{name}.yaml"))
    _run(*tools.kubectl, "--namespace", NAMESPACE, *patch)


def undeploy(name: str, tools: Tools) -> None:
    """Take a function away: what waits for it in the broker and the database stays."""
    _run(*tools.func, "delete", name, "--namespace", NAMESPACE, *tools.extra)


def _staged(name: str, tools: Tools) -> None:
    stage(name)
    if tools.builder == "pack":
        images.compile_folder(BUILD / name)


def _where(name: str, tools: Tools) -> tuple[str, ...]:
    return ("--path", str(BUILD / name), "--builder", tools.builder, "--registry", tools.registry)


def _refused(verb: str, tools: Tools) -> str | None:
    """Say why it would not go well."""
    if verb != "undeploy" and not tools.registry:
        return "REGISTRY is where images go, such as REGISTRY=registry.example.org/parley"
    if tools.builder not in ("pack", "s2i"):
        return f"BUILDER is pack or s2i, not {tools.builder}"
    try:
        said = subprocess.run([*tools.func, "version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        return f"{shlex.join(tools.func)}: {error}; get kn with its plugin func, or name another by FUNC="
    found = re.search(r"v?(\d+)\.(\d+)", said)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version[0] == 0 and version[1] >= 50:  # its own numbers: 0.50 is Knative's 1.23
        version = (1, version[1] - 27)
    if version < OLDEST:
        return (
            f"{shlex.join(tools.func)} must be 1.23 or newer, whose images start; this is {said.strip() or 'unknown'}"
        )
    return None


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
