"""Agents: what a configuration may say, how it is refused, and what names a state of it."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from parley.agents.config import AgentSet, Invalid, parse, revision
from parley.agents.load import load
from parley.errors import Misconfigured

SHIPPED = Path(__file__).parents[2] / "config"

ROUTING = """\
name: routing
description: Greets and hands over.
entry: true
instructions: |
  Find out what it is about.
hands_over_to: [desk]
"""
DESK = """\
name: desk
description: Answers.
instructions: Answer.
knowledge: [it-desk]
hands_over_to:
  - routing
"""


def agent(name: str, /, **fields: Any) -> dict[str, Any]:
    return {"name": name, "description": "Helps.", "instructions": "Help."} | fields


def pair(**fields: Any) -> dict[str, Any]:
    """An entry agent, and a specialist with these fields."""
    return {"routing": agent("routing", entry=True), "desk": agent("desk", **fields)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two good agents."""
    (tmp_path / "routing.yaml").write_text(ROUTING)
    (tmp_path / "desk.yaml").write_text(DESK)
    return tmp_path


# --- parse -----------------------------------------------------------------------------------------------------------


def test_agents_are_found_by_name_and_one_is_the_entry():
    """Each agent stands under its name, and new conversations begin with the one marked so."""
    agents = parse(pair(hands_over_to=["routing"]))

    assert sorted(agents.by_name) == ["desk", "routing"]
    assert agents.entry.name == "routing"
    assert agents.by_name["desk"].hands_over_to == ("routing",)


def test_what_is_left_out_has_a_default():
    """Three fields make an agent; the model is the deployment's and every phrase has words."""
    found = parse({"routing": agent("routing", entry=True)}).entry

    assert found.model is None
    assert found.sampling.temperature is None
    assert found.languages == ("en",)
    assert all(found.phrases.model_dump().values())


def test_agents_cannot_be_changed():
    """A configuration that was checked stays what was checked."""
    agents = parse(pair())

    with pytest.raises(ValidationError, match="frozen"):
        agents.entry.model = "another"


@pytest.mark.parametrize(
    ("fields", "where", "why"),
    [
        ({"colour": "red"}, "colour", "Extra inputs"),
        ({"instructions": ""}, "instructions", "at least 1 character"),
        ({"instructions": "  \n"}, "instructions", "at least 1 character"),
        ({"description": None}, "description", "string"),
        ({"entry": "perhaps"}, "entry", "boolean"),
        ({"sampling": {"temperature": 3}}, "sampling.temperature", "less than or equal to 2"),
        ({"sampling": {"temperature": float("nan")}}, "sampling.temperature", "finite"),
        ({"sampling": {"heat": 1}}, "sampling.heat", "Extra inputs"),
        ({"sampling": {"max_tokens": 0}}, "sampling.max_tokens", "greater than or equal to 1"),
        ({"tools": "search"}, "tools", "tuple"),
        ({"tools": ["a", "a"]}, "tools", "'a' stands here twice"),
        ({"knowledge": ["it desk"]}, "knowledge.0", "match pattern"),
        ({"languages": []}, "languages", "at least 1 item"),
        ({"languages": ["English"]}, "languages.0", "match pattern"),
        ({"examples": ["I lost my laptop", ""]}, "examples.1", "at least 1 character"),
        ({"phrases": {"goodbye": "Bye"}}, "phrases.goodbye", "Extra inputs"),
        ({"phrases": {"answer_frame": "It is so."}}, "phrases.answer_frame", "must hold {answer} once"),
        ({"phrases": {"answer_frame": "{answer} {sources}"}}, "phrases.answer_frame", "must hold {answer} once"),
        ({"phrases": {"answer_frame": "{answer!r}"}}, "phrases.answer_frame", "must hold {answer} once"),
        ({"phrases": {"answer_frame": "{answer"}}, "phrases.answer_frame", "expected '}'"),
        ({"hands_over_to": ["nobody"]}, "hands_over_to.0", "there is no agent 'nobody'"),
        ({"hands_over_to": ["routing", "desk"]}, "hands_over_to.1", "cannot hand over to itself"),
        ({"name": "other"}, "name", "must be 'desk', like its file"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(fields, where, why):
    """A mistake is one line that names agent and field and says what is wrong."""
    with pytest.raises(Invalid) as refused:
        parse(pair(**fields))

    assert (refused.value.agent, refused.value.field) == ("desk", where)
    assert why in refused.value.why
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["Desk", "1desk", "-desk", "it_desk", "desk\n", "", "d" * 65])
def test_names_are_lower_case_words(name):
    """A name fits a file, a log line and a tool call everywhere."""
    with pytest.raises(Invalid, match="name"):
        parse({"routing": agent("routing", entry=True), name: agent(name)})


@pytest.mark.parametrize("content", [None, [], "text", 7])
def test_a_file_that_holds_no_fields_is_refused(content):
    """An empty file, a list or a word is no agent."""
    with pytest.raises(Invalid, match="agent desk: must be a mapping"):
        parse({"desk": content})


@pytest.mark.parametrize(
    ("entries", "found"), [([], "none"), (["desk", "routing"], "desk, routing")], ids=["none", "two"]
)
def test_exactly_one_agent_is_the_entry(entries, found):
    """Without an entry nobody would answer, with two it would be chance."""
    mappings = {name: agent(name, entry=name in entries) for name in ("desk", "routing")}

    with pytest.raises(Misconfigured, match=f"exactly one agent must have entry: true, found {found}"):
        parse(mappings)


def test_no_agents_are_refused():
    """An empty set has no entry."""
    with pytest.raises(Misconfigured, match="found none"):
        parse({})


# --- revision --------------------------------------------------------------------------------------------------------


def test_the_revision_does_not_depend_on_order():
    """The same agents, read in another order or with defaults written out, are the same revision."""
    mappings = pair(model=None, tools=[])

    backwards = dict(reversed([(name, dict(reversed(fields.items()))) for name, fields in pair().items()]))

    assert revision(parse(mappings)) == revision(parse(backwards))


@pytest.mark.parametrize("change", [{"instructions": "Help well."}, {"examples": ["hi"]}, {"sampling": {"top_p": 0.5}}])
def test_the_revision_changes_with_any_field(change):
    """Whatever could change an answer changes the revision: 16 hex digits."""
    before = revision(parse(pair()))

    after = revision(parse(pair(**change)))

    assert before != after
    assert len(after) == 16
    assert int(after, 16)


def test_asking_a_set_does_not_change_its_revision():
    """What is remembered on first use is no part of the configuration."""
    agents = parse(pair())
    before = revision(agents)

    assert agents.by_name["routing"] == agents.entry

    assert revision(agents) == before


# --- load ------------------------------------------------------------------------------------------------------------


def test_a_folder_of_files_is_a_set_of_agents(folder):
    """Each *.yaml is one agent; other files are left alone."""
    (folder / "README.md").write_text("not an agent")

    agents = load(folder)

    assert isinstance(agents, AgentSet)
    assert sorted(agents.by_name) == ["desk", "routing"]


@pytest.mark.parametrize(
    ("before", "after", "line", "why"),
    [
        ("knowledge: [it-desk]", "knowlege: [it-desk]", 4, "knowlege: Extra inputs"),
        ("  - routing", "  - nobody", 6, "hands_over_to.0: there is no agent 'nobody'"),
        ("instructions: Answer.\n", "", 1, "instructions: Field required"),
        (DESK, "# Lines count from the top.\n\nname: desk", 3, "description: Field required"),
        ("name: desk", "name: dask", 1, "name: must be 'desk'"),
        ("knowledge: [it-desk]", "knowledge: [it-desk\n]\n]", 6, "did not find expected"),
        ("description: Answers.", "description: Answers: all.", 2, "mapping values are not allowed"),
        ("knowledge: [it-desk]", "description: Again.", 4, "description stands here twice"),
        ("knowledge: [it-desk]", "sampling:\n  temperature: 9", 5, "sampling.temperature: Input should be"),
        ("instructions: Answer.", "instructions: !!python/name:os.system", 3, "could not determine a constructor"),
        ("instructions: Answer.", "instructions: 2026-13-45", None, "month must be in"),
        ("knowledge: [it-desk]", "tools: &loop [*loop]", 4, "tools.0"),
        (DESK, "", 1, "must be a mapping"),
        (DESK, "just words", 1, "must be a mapping"),
        (DESK, "? [a, b]\n: c\n", 1, "found unhashable key"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_file_and_line(folder, before, after, line, why):
    """One line: where to look and what is wrong there."""
    path = folder / "desk.yaml"
    path.write_text(DESK.replace(before, after))

    with pytest.raises(Misconfigured) as refused:
        load(folder)

    assert str(refused.value).startswith(f"{path}:{line or ''}")
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_text_is_named(folder):
    """Bytes that are not UTF-8 are one line with the file."""
    (folder / "desk.yaml").write_bytes(b"name: \xff\xfe")

    with pytest.raises(Misconfigured, match=r"desk\.yaml: cannot be read as UTF-8 text"):
        load(folder)


@pytest.mark.parametrize("name", ["", "missing"])
def test_a_folder_without_agents_is_named(tmp_path, name):
    """An empty or absent folder says so, with its path."""
    with pytest.raises(Misconfigured, match=r"no agents \(\*\.yaml\) here"):
        load(tmp_path / name)


def test_a_set_without_entry_names_the_folder(folder):
    """What no single file is to blame for is told of the folder."""
    (folder / "routing.yaml").write_text(ROUTING.replace("entry: true\n", ""))

    with pytest.raises(Misconfigured) as refused:
        load(folder)

    assert str(refused.value) == f"{folder}: exactly one agent must have entry: true, found none"


# --- what ships ------------------------------------------------------------------------------------------------------


def test_the_shipped_agents_are_whole():
    """The shipped agents parse, reach each other, and know only knowledge bases that ship too."""
    agents = load(SHIPPED / "agents")

    bases = {folder.name for folder in (SHIPPED / "knowledge").iterdir()}
    assert agents.entry.name == "routing"
    assert agents.entry.hands_over_to == ("it-desk",)
    assert agents.by_name["it-desk"].hands_over_to == ("routing",)
    assert {base for one in agents.agents for base in one.knowledge} <= bases


@pytest.mark.parametrize(
    "secret",
    [
        "Use pk_Ab12Cd34_abcdefghijklmnopqrstuvwxyz", "token: s3cr3t-value", "password=hunter2hunter2", "xoxb-1-2",
        "-----BEGIN PRIVATE KEY-----", "AKIAIOSFODNN7EXAMPLE", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_no_part_of_a_prompt(secret: str):
    """A model tells what it was told; the file and the field are named, the secret is not."""
    with pytest.raises(Invalid, match="looks like a secret") as caught:
        parse(pair(instructions=f"Help. {secret}"))
    assert (caught.value.field, secret in str(caught.value)) == ("instructions", False)


def test_the_shipped_prompts_hold_none():
    """Rules about passwords are no passwords."""
    assert load(SHIPPED / "agents").by_name["it-desk"]
