"""Dashboard and alerts ask for what is told, and what to do is written down. `make metrics` runs them for real."""

import json
import re

import pytest
import yaml
from wiring.conftest import ROOT

from devkit.observing import alerts, panels
from parley.adapters.postgres.state import GAUGES
from parley.telemetry import COUNTERS, HISTOGRAMS

CONFIG = ROOT / "config" / "observability"
RULES = [
    rule
    for group in yaml.safe_load((CONFIG / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^### (Parley\w+)$", OPERATIONS, flags=re.MULTILINE)


def told():
    """The names of everything that is told, as Prometheus has them."""
    plain = {name.replace(".", "_"): unit for name, (unit, *_) in HISTOGRAMS.items()}
    whole = {f"{name}_seconds" if unit == "s" else name for name, unit in plain.items()}
    counters = {f"{name.replace('.', '_')}_total" for name in COUNTERS}
    return {f"{name}_{part}" for name in whole for part in ("bucket", "count", "sum")} | counters | set(GAUGES)


@pytest.mark.parametrize("query", [*panels(), *alerts()], ids=lambda query: query.title)
def test_every_query_asks_for_what_is_told(query):
    bare = re.sub(r"(by|without|ignoring) \([^)]*\)|\{[^}]*\}", "", query.expr)  # names of labels are none of metrics
    named = set(re.findall(r"\b(?:parley|gen_ai)_[a-z_]+\b", bare))
    assert named
    assert named <= told()


def test_every_alert_says_what_to_do_and_every_section_is_of_one():
    """Each rule links to its section, and nobody is sent to a section that is not there."""
    assert sorted(SECTIONS) == sorted(rule["alert"] for rule in RULES)
    for rule in RULES:
        assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in ("warning", "critical")


def test_every_alert_is_seen_to_go_off():
    """In the tests that promtool runs."""
    tests = yaml.safe_load((CONFIG / "alerts.test.yaml").read_text(encoding="utf-8"))["tests"]
    seen = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert seen == {rule["alert"] for rule in RULES}


def test_the_panels_lie_beside_each_other():
    places = [
        panel["gridPos"] for panel in json.loads((CONFIG / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    ]
    taken = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
