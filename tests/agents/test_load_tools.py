"""Tools from files: what is wrong is one line with file and line; what was compiled is used while it is true."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from parley.agents import load
from parley.errors import Misconfigured

ROOT = Path(__file__).parents[2]
AGENT = "name: a\ndescription: Helps.\nentry: true\ninstructions: Help.\ntools:\n  - desk.look\n"
SERVER = "name: desk\nurl: http://x/mcp\ntools:\n  - name: look\n    description: Looks.\n    risk: read\n"


@pytest.fixture
def folder(tmp_path):
    for name, text in (("agents/a", AGENT), ("tools/desk", SERVER)):
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_agents_and_their_tools_are_found(folder):
    found = load.load_all(folder)
    assert [one.full for one in found.tools.of(found.agents.entry)] == ["desk__look"]


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "why"),
    [
        ("tools/desk", "risk: read", "risk: funny", 6, "Input should be"),
        ("tools/desk", "name: look", "name: Look!", 4, "pattern"),
        ("tools/desk", "url: http://x/mcp", "url: x", 2, "pattern"),
        ("tools/desk", "risk: read", "risk: read\n    more: 1", 7, "Extra"),
        ("tools/desk", "risk: read", "risk: read\n    parameters: {type: array}", 4, "JSON schema of type object"),
        ("tools/desk", "risk: read", "risk: read\n    parameters: {type: object}", 4, "additionalProperties: false"),
        ("tools/desk", "name: desk", "name: other", 1, "like its file"),
        ("agents/a", "desk.look", "desk.nothing", 6, "there is no tool 'desk.nothing'"),
        ("agents/a", "desk.look", "escalat", 6, "there is no tool"),
    ],
)
def test_a_fault_is_named_with_file_and_line(folder, file, old, new, line, why):
    path = folder / f"{file}.yaml"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(Misconfigured) as caught:
        load.load_all(folder)
    assert str(caught.value).startswith(f"{path}:{line}: "), caught.value
    assert why in str(caught.value)


def test_what_was_compiled_is_the_same_and_needs_no_yaml(folder):
    before = load.load_all(folder)
    (folder / load.COMPILED).write_bytes(load.compiled(folder))
    code = (
        "import sys; from pathlib import Path; from parley.agents.load import load_all;"
        f"print(load_all(Path({str(folder)!r})).revision, 'yaml' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "lib")}, capture_output=True, text=True, check=False
    )
    assert ran.stdout.split() == [before.revision, "False"], ran.stderr


def test_a_file_that_has_changed_since_counts_and_not_what_was_compiled(folder):
    (folder / load.COMPILED).write_bytes(load.compiled(folder))
    path = folder / "agents" / "a.yaml"
    path.write_text(path.read_text().replace("Helps.", "Helps more."))
    assert load.load_all(folder).agents.entry.description == "Helps more."
    (folder / load.COMPILED).write_text(json.dumps({"digest": "x"})[:-1])
    assert load.load_all(folder).agents.entry.description == "Helps more."


def test_agent_turn_loads_nothing_that_its_first_event_may_not_need():
    """With a model, tools and keys set: neither client nor YAML nor cryptography, until they are used."""
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); import func; func.function.configure(os.environ);"
        "func.function.handler; late = ('llama_stack_client', 'httpx', 'jwt', 'cryptography', 'fastjsonschema', 'mcp',"
        " 'pgvector', 'numpy');"
        "print([name for name in late if name in sys.modules])"
    )
    env = {"PYTHONPATH": str(ROOT / "lib"), "DATABASE_URL": "postgresql://127.0.0.1:9/x", "K_SINK": "http://127.0.0.1:9/",
           "CONFIG_DIR": str(ROOT / "config"), "TOOL_SIGNING_KEY": "A" * 43, "LLAMA_STACK_URL": "http://127.0.0.1:9",
           "LLAMA_STACK_MODEL": "m"}  # fmt: skip
    command = [sys.executable, "-c", code, str(ROOT / "functions" / "agent-turn")]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "[]", ran.stderr
