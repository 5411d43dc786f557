"""ogx-client asks the model's server in the place of llama-stack-client: what it takes is one file, of one method."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from processes import ROOT

from devkit.model import NAME, Broken, Call, Said, ScriptedModel

ADAPTER = Path(__file__).parent / "ogx_adapter.py"


@pytest.fixture
def ask(environment):
    """Ask the shipped agents, in an environment without llama-stack-client."""
    python = environment("ogx")

    def run(url, question="Hello?"):
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "lib")}
        done = subprocess.run(
            [python, ADAPTER, url, NAME, question], env=env, capture_output=True, text=True, check=False, timeout=90
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_words_are_passed_on_as_they_come(ask):
    with ScriptedModel() as model:
        model.say(Said("Good morning, what can I do?"))

        answer = ask(model.url)

    assert answer["text"] == answer["said"] == "Good morning, what can I do?"
    assert answer["usage"][1] > 0
    assert model.asked[0]["store"] is False


def test_a_call_is_a_call(ask):
    """The front desk hands over by calling a function."""
    with ScriptedModel() as model:
        model.say(Said("", (Call("hand_over_to_it-desk"),)))

        answer = ask(model.url, "My laptop is old.")

    assert answer["hand_over_to"] == "it-desk"


@pytest.mark.parametrize("status", [500, 503, 429, 401])
def test_what_may_pass_is_unavailable(ask, status):
    with ScriptedModel() as model:
        model.say(Broken(status=status))

        assert str(status) in ask(model.url)["unavailable"]


def test_nobody_there_is_unavailable(ask):
    assert "cannot be reached" in ask("http://127.0.0.1:9")["unavailable"]
