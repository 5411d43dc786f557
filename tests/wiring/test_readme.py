"""The picture in the README is true."""

import re
import subprocess

import pytest
from wiring.conftest import CHANNELS, FUNCTIONS, PUBLIC, ROOT

from standalone.rules import AllOf, AnyOf

README = (ROOT / "README.md").read_text(encoding="utf-8")
ARROW = re.compile(
    r"^ {4}(?P<start>[a-z-]+)\S* (?:--> |--? (?P<solid>.+) --> |-\. (?P<dotted>.+) \.-> )(?P<end>[a-z-]+)"
)


@pytest.fixture(scope="module")
def arrows():
    picture = README.split("```mermaid\n")[1].split("```")[0]
    lines = [line for line in picture.splitlines()[1:] if re.search(r"(--|\.-)>", line)]
    found = [ARROW.match(re.sub(r"\(\[.*?\]\)|\{\{.*?\}\}", "", line)) for line in lines]
    assert all(found), lines
    return {(m["start"], m["end"]): m["solid"] or m["dotted"] for m in found}


def wanted(filters):
    for rule in filters:
        if isinstance(rule, AllOf | AnyOf):
            yield from wanted(rule.filters)
        else:
            yield from (value for _, value in rule.values)


def test_its_arrows_from_the_broker_are_the_triggers(arrows, wiring):
    drawn = {end: label for (start, end), label in arrows.items() if start == "broker"}
    for trigger in wiring.triggers:
        values = list(wanted(trigger.filters))
        if trigger.name == "recover":
            values.append("dead letters")
        assert drawn.pop(trigger.name) == ", ".join(value.removeprefix("parley.") for value in values)
    assert drawn == {}
    assert {trigger.delivery.dead_letter_sink for trigger in wiring.triggers} == {"recover"}


def test_its_arrows_to_the_broker_are_the_functions_that_publish_or_reply(arrows, wiring):
    giving = {start for start, end in arrows if end == "broker"}
    assert giving == wiring.bound | {"normalize"}


def test_all_functions_are_in_the_picture_and_in_the_table(arrows):
    assert set(FUNCTIONS) <= {name for arrow in arrows for name in arrow}
    assert [name for name in re.findall(r"^\| `([a-z-]+)` \| ", README, re.MULTILINE) if name in FUNCTIONS] == [
        "slack-ingest", "request-api", "normalize", "agent-turn",
        *(f"deliver-{channel}" for channel in CHANNELS), "recover",
        "mcp-service-desk",
    ]  # fmt: skip
    assert {end for start, end in arrows if start in ("person", "program")} == PUBLIC


@pytest.mark.parametrize("path", ["README.md", "docs/deploy.md"])
def test_its_commands_are_commands_of_the_makefile(path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    said = (ROOT / path).read_text(encoding="utf-8")
    assert set(re.findall(r"\bmake (?:-s )?([a-z-]+)\b", said)) <= targets


def test_files_that_the_way_to_a_cluster_names_are_there():
    said = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\bconfig/[a-z/-]+(?:\.yaml)?", said))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_a_question_reaches_ask_as_it_was_typed():
    """Nothing in it is a command to the shell."""
    make = ["make", "-n", "ask", """Q=a "b; touch x; echo " `id` $HOME"""]
    shown = subprocess.run(make, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert '-m standalone.ask "$QUESTION"' in shown
    assert "touch" not in shown
