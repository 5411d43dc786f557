"""MCP by streamable HTTP, both sides: our client against servers that misbehave, our server against the protocol."""

import json
import uuid

import httpx
import pytest
from tools.conftest import KEY

from devkit.serving import LocalServer, Reply
from parley import tokens
from parley.adapters.mcp import LARGEST, McpClient
from parley.domain.actions import digest
from parley.errors import Unavailable
from parley.ports import ToolFailed

INIT = {"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {}}}
DONE = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "done"}], "isError": False}}


def as_json(value, **headers):
    return Reply(200, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


def result(**fields):
    return {"jsonrpc": "2.0", "id": 1, "result": fields}


def fault(code):
    return {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": "no"}}


def as_stream(*values):
    body = b": hello\n\n" + b"".join(b"event: message\r\ndata: " + json.dumps(v).encode() + b"\r\n\r\n" for v in values)
    return Reply(200, body, {"Content-Type": "text/event-stream"})


class Server:
    """Initializes, then answers calls with what it is told; keeps what was asked."""

    def __init__(self):
        self.calls, self.script, self.session = [], [], ""
        self._http = LocalServer(self._answer)

    def _answer(self, request):
        message = json.loads(request.body)
        self.calls.append((message["method"], dict(request.headers), message.get("params")))
        if message["method"] == "initialize":
            return as_json(INIT, **({"Mcp-Session-Id": self.session} if self.session else {}))
        if "id" not in message:
            return Reply(202)
        return self.script.pop(0) if self.script else as_json(DONE)

    def methods(self):
        return [method for method, _, _ in self.calls]


@pytest.fixture
def server():
    made = Server()
    with made._http as http:
        made.url = f"{http.url}/mcp"
        yield made


@pytest.fixture
def client(server):
    made = McpClient("desk", server.url, seconds=1)
    yield made
    made.close()


def call(client):
    return client.call("look", {"a": 1}, token="t", key=uuid.UUID(int=7))


def test_a_session_is_begun_once_and_each_call_says_who_and_which(client, server):
    server.session = "s-1"
    assert [call(client), call(client)] == ["done", "done"]
    assert server.methods() == ["initialize", "notifications/initialized", "tools/call", "tools/call"]
    _, headers, params = server.calls[-1]
    assert params == {"name": "look", "arguments": {"a": 1}}
    assert (headers["authorization"], headers["mcp-session-id"]) == ("Bearer t", "s-1")
    assert headers["idempotency-key"] == str(uuid.UUID(int=7))
    assert headers["mcp-protocol-version"] == "2025-06-18"


def test_an_answer_may_come_as_a_stream_after_other_messages(client, server):
    server.script = [as_stream({"jsonrpc": "2.0", "method": "notifications/progress"}, DONE)]
    assert call(client) == "done"


def test_a_session_that_the_server_forgot_is_begun_anew(client, server):
    server.session = "s-1"
    call(client)
    server.script = [Reply(404)]
    assert call(client) == "done"
    assert server.methods().count("initialize") == 2


@pytest.mark.parametrize(
    "answer",
    [
        as_json(result(content=[{"type": "text", "text": "no laptop"}], isError=True)),
        as_json(fault(-32602)),
        Reply(401), Reply(403), Reply(404), Reply(422), Reply(429),
        as_json({"x": "y" * (LARGEST + 1)}),
    ],
    ids=["says no", "refused", "401", "403", "404", "422", "429", "too large"],
)  # fmt: skip
def test_what_did_not_happen_is_for_the_model(client, server, answer):
    server.script = [answer]
    with pytest.raises(ToolFailed):
        call(client)


@pytest.mark.parametrize(
    "answer",
    [
        Reply(500), Reply(503), Reply(breaks="reset"), Reply(breaks="hang"), as_json("x"), Reply(200, b"{"),
        as_stream(),
        as_json(fault(-32603)), Reply(302),
        as_json({"jsonrpc": "2.0", "id": 1, "result": None}),
    ],
    ids=["500", "503", "reset", "hang", "no object", "no JSON", "no answer", "internal", "moved", "no result"],
)  # fmt: skip
def test_what_may_have_happened_is_unavailable(client, server, answer):
    """The turn is given back, and the call repeated with its key."""
    server.script = [answer]
    with pytest.raises(Unavailable):
        call(client)


def test_a_server_that_is_not_there_has_done_nothing():
    with pytest.raises(ToolFailed, match="not available"):
        call(McpClient("desk", "http://127.0.0.1:9/mcp", seconds=1))


# --- the server ------------------------------------------------------------------------------------------------------


@pytest.fixture
def post(desk_url, world):
    signer = tokens.Signer(KEY)

    def send(message, *, token="", origin=None, method="POST", call=None):
        name, arguments = call or ("", {})
        caller = tokens.Caller(
            world.users["ann"], "ann@example.org", (), "it-desk", uuid.uuid4(), digest(name, arguments)
        )
        headers = {"Authorization": f"Bearer {token or signer.token(caller, 'service-desk')}"}
        if origin:
            headers["Origin"] = origin
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return httpx.request(method, desk_url, content=body, headers=headers, timeout=30)

    return send


def rpc(method, params=None, **more):
    return {"jsonrpc": "2.0", "id": 1, "method": method, **({"params": params} if params is not None else {}), **more}


def test_it_initializes_in_the_version_that_is_asked_for(post):
    asked = post(rpc("initialize", {"protocolVersion": "2025-03-26"})).json()["result"]
    assert (asked["protocolVersion"], asked["capabilities"]) == ("2025-03-26", {"tools": {}})
    assert post(rpc("initialize", {"protocolVersion": "1999"})).json()["result"]["protocolVersion"] == "2025-06-18"
    assert post({"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202
    assert post(rpc("ping")).json()["result"] == {}


def test_its_tools_are_those_of_the_file_word_for_word(post, world):
    """`config/tools` pins names and parameters; what a server says today must be what was read."""
    offered = {tool["name"]: tool["inputSchema"] for tool in post(rpc("tools/list")).json()["result"]["tools"]}
    (pinned,) = world.configured.tools.servers
    assert set(offered) == {tool.name for tool in pinned.tools}
    for tool in pinned.tools:
        assert set(offered[tool.name]["properties"]) == set(tool.parameters["properties"]), tool.name
        assert offered[tool.name].get("required") == tool.parameters.get("required"), tool.name


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        (b"{", 400, -32700), (b"[]", 400, -32600), (b"1", 400, -32600), ({"jsonrpc": "1.0"}, 400, -32600),
        (rpc("nothing/here"), 200, -32601), (rpc("tools/call", []), 200, -32602), (rpc("tools/call", {}), 200, -32602),
        (rpc("tools/call", {"name": "find_laptops", "arguments": [1]}), 200, -32602),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_call_is_an_error_of_the_protocol(post, message, status, code):
    answer = post(message)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_nobody_gets_in_without_a_token_and_no_browser_at_all(post):
    assert post(rpc("tools/list"), token="nonsense").status_code == 401
    assert post(rpc("tools/list"), origin="https://evil.example").status_code == 403
    assert post(b"", method="GET").status_code == 405
    assert post(b"", method="DELETE").status_code == 405


def test_a_token_is_for_one_call(post):
    """The same token with other arguments, or for another tool, opens nothing."""
    params = {"name": "check_refresh", "arguments": {"asset": "AF104712"}}
    assert "result" in post(rpc("tools/call", params), call=("check_refresh", {"asset": "AF104712"})).json()
    assert post(rpc("tools/call", params), call=("check_refresh", {"asset": "AF104713"})).json()["error"]
    assert post(rpc("tools/call", params), call=("find_laptops", {"asset": "AF104712"})).json()["error"]


def test_arguments_that_do_not_fit_are_told_to_the_model(post):
    params = {"name": "check_refresh", "arguments": {"asset": "x", "more": 1}}
    result = post(rpc("tools/call", params), call=("check_refresh", params["arguments"])).json()["result"]
    assert result["isError"]
    assert "invalid arguments" in result["content"][0]["text"]
