"""Each folder of functions/ is one function: its files, its settings and its limits agree."""

import ast
import dataclasses
import re

import pytest
import yaml
from wiring.conftest import CHANNELS, FUNCTIONS, PUBLIC, ROOT, TAKES_NO_EVENTS

from devkit import images
from parley.serve import Server

FOLDERS = [*(ROOT / "functions" / name for name in FUNCTIONS), ROOT]
BUDGET = 180  # connections: PostgreSQL's default is 100, a small managed one has 200
REFERENCE = re.compile(r"\{\{ (secret|configMap):([-a-z0-9]+):([-._A-Za-z0-9]+) \}\}")

folders = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(ROOT).name or "root")
functions = pytest.mark.parametrize("name", FUNCTIONS)


def envs(spec):
    return {env["name"]: env["value"] for env in spec["run"]["envs"]}


def test_the_functions_are_there():
    assert (
        sorted(
            ["slack-ingest", "request-api", "normalize", "agent-turn", "recover", "mcp-service-desk"]
            + [f"deliver-{channel}" for channel in CHANNELS]
        )
        == FUNCTIONS
    )


@functions
def test_one_name_for_folder_and_service(name, func_yaml):
    spec = func_yaml(ROOT / "functions" / name)
    assert (spec["name"], spec["deploy"]["namespace"]) == (name, "parley")
    assert spec["invoke"] == ("http" if name in TAKES_NO_EVENTS else "cloudevent")


@functions
def test_scales_to_zero_and_only_the_doors_are_public(name, func_yaml):
    deploy = func_yaml(ROOT / "functions" / name)["deploy"]
    assert deploy["options"]["scale"]["min"] == 0
    private = {"key": "networking.knative.dev/visibility", "value": "cluster-local"} in deploy.get("labels", [])
    assert private == (name not in PUBLIC)


def test_the_root_function_never_scales(func_yaml):
    spec = func_yaml(ROOT)
    assert spec["deploy"]["options"]["scale"] == {"min": 1, "max": 1}
    assert envs(spec)["MAX_INSTANCES"] == "1"


@folders
def test_a_thread_is_always_free_for_health_checks(folder, func_yaml):
    spec = func_yaml(folder)
    assert int(envs(spec)["THREADS"]) == spec["deploy"]["options"]["resources"]["limits"]["concurrency"] + 2


@functions
def test_the_functions_check_their_health_where_parliament_serves_it(name, func_yaml):
    endpoints = func_yaml(ROOT / "functions" / name)["deploy"]["healthEndpoints"]
    assert endpoints == {"liveness": "/health/liveness", "readiness": "/health/readiness"}


@functions
def test_every_setting_is_one_that_the_function_knows_and_needs(name, func_yaml, loaded, wiring):
    given = set(envs(func_yaml(ROOT / "functions" / name)))
    fields = {field.name.upper(): field for field in dataclasses.fields(loaded(name).Config)}
    serve = {field.name.upper() for field in dataclasses.fields(Server)}
    assert given <= set(fields) | serve | TOLD
    required = {key for key, field in fields.items() if field.default is dataclasses.MISSING}
    bound = {"K_SINK"} if name in wiring.bound else set()
    assert required <= given | bound
    assert ("K_SINK" in fields) == bool(bound), "a SinkBinding gives K_SINK to those that publish, and to no other"


@functions
def test_what_the_cluster_offers_reaches_every_function_that_knows_it(name, func_yaml, loaded):
    """One installation goes by one name, and has one of everything else: no function falls back to its own default."""
    path = ROOT / "config" / "cluster" / "base" / "config.yaml"
    offered = set(yaml.safe_load(path.read_text(encoding="utf-8"))["data"])
    knows = {field.name.upper() for field in dataclasses.fields(loaded(name).Config)}
    assert offered & knows <= set(envs(func_yaml(ROOT / "functions" / name)))


def test_the_root_function_gives_each_of_its_functions_what_it_needs(func_yaml):
    needed = {key for name in FUNCTIONS for key in envs(func_yaml(ROOT / "functions" / name))}
    assert needed <= set(envs(func_yaml(ROOT)))


def test_what_a_laptop_wants_is_no_part_of_an_image():
    ignored = (ROOT / ".funcignore").read_text(encoding="utf-8").splitlines()
    assert {"config/local.env", "config/cluster/", ".parley/"} <= set(ignored)


TOLD = {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"}  # the SDK's own
PLAIN = ("LLAMA_STACK_URL", "PUBLIC_URL", "BUDGET_TOKENS_PER_DAY")  # no password among them


@functions
def test_secrets_come_by_reference(name, func_yaml):
    for key, value in envs(func_yaml(ROOT / "functions" / name)).items():
        secret = any(word in key for word in ("URL", "KEY", "SECRET", "TOKEN")) and key not in PLAIN
        kind = (REFERENCE.fullmatch(value) or [None, None])[1]
        assert kind == "secret" if secret else kind != "secret", key


def test_what_is_referred_to_is_in_config_cluster_and_nothing_else(func_yaml):
    referred = set()
    for folder in FOLDERS:
        for value in envs(func_yaml(folder)).values():
            if "{{" in value:
                referred.add(REFERENCE.fullmatch(value).groups())
    offered = set()
    for path in ("base/config.yaml", "secrets.yaml"):
        for one in yaml.safe_load_all((ROOT / "config" / "cluster" / path).read_text(encoding="utf-8")):
            kind, values = ("secret", one["stringData"]) if one["kind"] == "Secret" else ("configMap", one["data"])
            offered |= {(kind, one["metadata"]["name"], key) for key in values}
    assert referred == offered


def test_all_instances_together_stay_inside_the_databases_budget(func_yaml, pool_sizes):
    total = 0
    for name in FUNCTIONS:
        pool = pool_sizes(name)
        assert pool == {"slack-ingest": 0, "request-api": 4}.get(name, 2)
        total += pool * func_yaml(ROOT / "functions" / name)["deploy"]["options"]["scale"]["max"]
    assert total <= BUDGET


@folders
def test_both_builders_find_what_to_start(folder):
    """The buildpack reads the Procfile, s2i runs app.sh."""
    serves = "func.py" if folder == ROOT else "-m parley.serve ."
    started = f"web: env PYTHONPYCACHEPREFIX={images.WORKSPACE / images.CACHE} python {serves}\n"
    assert (folder / "Procfile").read_text(encoding="utf-8") == started
    script = folder / "app.sh"
    assert script.stat().st_mode & 0o111 == 0o111
    assert script.read_text(encoding="utf-8").startswith("#!/bin/sh\nexec python ")


@functions
def test_a_folder_holds_wiring_only(name):
    folder = ROOT / "functions" / name
    found = {path.name for path in folder.iterdir()} - {"__pycache__"}
    expected = {"func.py", "func.yaml", "Procfile", "app.sh", "requirements.txt", "constraints.txt", ".funcignore"}
    assert found == expected
    lines = (folder / "func.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 80, "what a function takes, what it gives, main(context)"
    defined = {
        node.name for node in ast.parse("\n".join(lines)).body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    assert defined == {"Config", "build", "main"}
