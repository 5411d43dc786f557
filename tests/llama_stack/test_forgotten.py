"""The conversation is ours: a model server that forgot everything goes on where the last one stopped."""

from llama_stack_client import LlamaStackClient

from devkit.installation import QUICK, Installation
from devkit.llama import LlamaStack as RealServer
from devkit.model import Said
from standalone import host


def test_a_server_that_forgot_everything_is_told_anew(model, tmp_path):
    """Restarted on an empty disk between two questions; nothing of the first one was ever stored there either."""
    port = host.free_ports(1)[0]
    first, second = (RealServer(model.url, tmp_path / name, port=port) for name in ("first", "second"))
    env = {**QUICK, "LLAMA_STACK_URL": first.url, "LLAMA_STACK_MODEL": first.model}
    with Installation(tmp_path / "parley", env) as parley:
        with first:
            model.say(Said("Hello Ann."))
            answer = ask(parley, "My name is Ann.")
            assert answer["result"]["text"].startswith("Hello Ann.")
            assert list(LlamaStackClient(base_url=first.url).responses.list()) == []
        with second:
            model.say(Said("Ann."))
            again = ask(parley, "What is my name?", answer["session_id"])
            assert again["result"]["text"].startswith("Ann.")
    told = [(one["role"], str(one["content"])) for one in model.asked[-1]["messages"][1:]]
    assert [role for role, _ in told] == ["user", "assistant", "user"]
    assert "My name is Ann." in told[0][1]
    assert "Hello Ann." in told[1][1]


def ask(parley, content, session_id=None):
    import httpx

    body = {"content": content, **({"session_id": session_id} if session_id else {})}
    headers = {"Authorization": f"Bearer {parley.facts['key']}"}
    answer = httpx.post(f"{parley.url}/api/v1/requests", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()
