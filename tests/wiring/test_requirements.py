"""What a function imports is what its image holds, in the versions of the one lock."""

import ast
import functools
import importlib.metadata
import re
import sys

import pytest
from wiring.conftest import FUNCTIONS, ROOT

LIBRARY = ROOT / "lib" / "parley"
functions = pytest.mark.parametrize("name", FUNCTIONS)
# What a package that is pinned brings along as a part of its own interface.
PARTS = {
    "jinja2": "flask",
    "markupsafe": "flask",
    "werkzeug": "flask",
    "httpcore": "httpx",
    "botocore": "boto3",
    "psycopg-pool": "psycopg",
    "prometheus-client": "opentelemetry-exporter-prometheus",
}
# A name that several packages share.
SHARED = {
    "opentelemetry": {
        "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "opentelemetry-exporter-prometheus",
    },
}  # fmt: skip


def pins(path):
    """Read `name==version` lines: name → version, extras left out."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==(\S+)", line):
            found[canonical(match[1])] = match[2]
    return found


@functools.cache
def providers():
    """Give the packages that each module comes from."""
    return importlib.metadata.packages_distributions()


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def reachable(path, seen):
    """Give every third-party module that this file imports, at its top or later, by way of parley's own modules too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    type_checking = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    third = set()
    for node in ast.walk(tree):
        if id(node) in type_checking:
            continue
        for module in imported(node):
            top = module.split(".")[0]
            if top == "parley":
                own = LIBRARY.parent / (module.replace(".", "/") + ".py")
                own = own if own.is_file() else own.with_suffix("") / "__init__.py"
                if own.is_file() and own not in seen:
                    seen.add(own)
                    third |= reachable(own, seen)
            elif top not in sys.stdlib_module_names:
                third.add(top)
    return third


def imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


@functions
def test_every_package_that_it_imports_is_pinned_and_no_other(name):
    folder = ROOT / "functions" / name
    distributions = providers()
    modules = reachable(folder / "func.py", set()) | reachable(LIBRARY / "serve.py", set())
    packages = {canonical(distributions[module][0]) for module in modules - set(SHARED)}
    packages |= {package for module in modules & set(SHARED) for package in SHARED[module]}
    packages = {PARTS.get(package, package) for package in packages}
    if {"cryptography", "pyjwt"} <= packages and "cryptography" not in pins(folder / "requirements.txt"):
        packages.remove("cryptography")  # PyJWT[crypto] brings it along
    if name == "slack-ingest":
        packages.remove("pydantic")  # runtime.py imports it where an event is taken: it takes none, and starts faster
    assert packages == set(pins(folder / "requirements.txt"))


@functions
def test_its_versions_are_those_of_the_project(name):
    folder = ROOT / "functions" / name
    assert pins(folder / "requirements.txt").items() <= pins(ROOT / "requirements.txt").items()
    assert pins(folder / "constraints.txt").items() <= pins(ROOT / "constraints.txt").items()
    assert pins(folder / "requirements.txt").items() <= pins(folder / "constraints.txt").items()


def test_the_project_pins_what_it_needs_directly():
    lock = pins(ROOT / "constraints.txt")
    for path in (ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt"):
        assert pins(path).items() <= lock.items()
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
        assert len(pins(path)) == len(lines), "every requirement has a version"
