"""A whole installation that is pointed at a Llama Stack server."""

import httpx
import pytest
from databases import run

from devkit.installation import QUICK, Installation
from devkit.model import Broken, Call, Said


@pytest.fixture(scope="module")
def parley(real_server, tmp_path_factory):
    env = {"LLAMA_STACK_URL": real_server.url, "LLAMA_STACK_MODEL": real_server.model, **QUICK}
    env["EMBEDDING_MODEL"] = "model/synthetic-384"
    with Installation(tmp_path_factory.mktemp("parley"), env) as installation:
        yield installation


def ask(parley, content, session_id=None):
    headers = {"Authorization": f"Bearer {parley.facts['key']}"}
    body = {"content": content, **({"session_id": session_id} if session_id else {})}
    return httpx.post(f"{parley.url}/api/v1/requests", json=body, headers=headers, timeout=40)


def test_a_question_is_routed_and_answered_with_its_source_by_the_model(parley, model):
    model.say(Said(calls=(Call("hand_over_to_it-desk"),)), Said("After three or four years, it depends [1]."))
    answer = ask(parley, "How old must my laptop be before I can get a new one?")
    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    assert (result["text"], result["agent"]) == ("After three or four years, it depends.", "it-desk")
    assert [one["document"] for one in result["citations"]] == ["laptop-refresh"]

    model.say(Said("As I said [1]."))
    again = ask(parley, "And a laptop in Germany?", answer.json()["session_id"]).json()
    assert again["result"]["agent"] == "it-desk", "who is in charge stays in charge"
    seen = [(one["role"], str(one["content"])) for one in model.asked[-1]["messages"][1:]]
    assert [role for role, _ in seen] == ["user", "assistant", "user"]
    assert "it depends" in seen[1][1]


def test_the_knowledge_was_embedded_at_the_start(parley):
    [(sections, embedded, dimension)] = run(
        parley.database_url,
        "select count(*), count(embedding), min(vector_dims(embedding)) from knowledge_chunks",
    )
    assert (embedded, dimension) == (sections, 384)
    assert sections > 50


def test_a_model_that_fails_for_a_while_delays_the_answer(parley, model):
    model.say(*[Broken(500)] * 8, Said("Here I am."))
    answer = ask(parley, "hello there")
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"]["text"] == "Here I am."
