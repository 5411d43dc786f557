"""
The client's side of MCP by streamable HTTP (https://modelcontextprotocol.io/specification/2025-06-18/basic/transports).

Our own, over the httpx that is loaded anyway: importing the official package takes 0.6 s of the first call in each
fresh process, which is more than all of agent-turn takes to start, and it wants an event loop. It does one thing: call
a tool, once, and know afterwards whether it may have happened.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from parley import telemetry
from parley.errors import Unavailable
from parley.ports import ToolFailed

if TYPE_CHECKING:
    import httpx

VERSION = "2025-06-18"
CONNECT = 3.0  # seconds
LARGEST = 1 << 20  # bytes of an answer
_BROKE = -32603  # JSON-RPC's internal error: it may have happened
_LOST = frozenset({404})  # the server has forgotten the session


class McpClient:
    """One server. Nothing is opened before the first call."""

    def __init__(self, name: str, url: str, *, seconds: float) -> None:
        self._name = name
        self._url = url
        self._seconds = seconds
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None
        self._session: dict[str, str] | None = None

    def call(self, tool: str, arguments: Mapping[str, Any], *, token: str, key: UUID) -> str:
        """
        Call a tool; gives its text.

        Raises ToolFailed when it said no or could not be reached, and so nothing has happened; Unavailable when it is
        not known what became of it.
        """
        # https://opentelemetry.io/docs/specs/semconv/gen-ai/mcp/
        with telemetry.span(
            f"tools/call {tool}", "client", {"mcp.method.name": "tools/call", "gen_ai.tool.name": tool}
        ):
            return self._called(tool, arguments, token, key)

    def _called(self, tool: str, arguments: Mapping[str, Any], token: str, key: UUID) -> str:
        wanted = {"name": tool, "arguments": dict(arguments)}
        session = self._initialized(token)
        try:
            result = self._post("tools/call", wanted, token, {**session, "Idempotency-Key": str(key)})
        except _SessionLost:
            with self._lock:
                self._session = None
            result = self._post("tools/call", wanted, token, {**self._initialized(token), "Idempotency-Key": str(key)})
        text = _text(result)
        if result.get("isError"):
            raise ToolFailed(text[:1000] or "no reason was given")
        return text

    def tools(self, token: str) -> list[dict[str, Any]]:
        """List what the server offers. Raises ToolFailed and Unavailable."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self._post("tools/list", {"cursor": cursor} if cursor else {}, token, self._initialized(token))
            found += page.get("tools", [])
            cursor = page.get("nextCursor")
            if not cursor or len(found) > 1000:
                return found

    def close(self) -> None:
        """Give back connections."""
        with self._lock:
            if self._http:
                self._http.close()
                self._http = None

    def _initialized(self, token: str) -> dict[str, str]:
        """Give the headers of a session, begun when there is none. Nothing has happened when this fails."""
        with self._lock:
            if self._session is not None:
                return self._session
        about = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "parley", "version": "1"}}
        headers: dict[str, str] = {}
        try:
            result = self._post("initialize", about, token, {}, headers)
            session = {"MCP-Protocol-Version": str(result.get("protocolVersion", VERSION))}
            if number := headers.get("mcp-session-id"):
                session["Mcp-Session-Id"] = number
            self._notify("notifications/initialized", token, session)
        except Unavailable as error:
            raise ToolFailed(f"{self._name} is not available now") from error
        with self._lock:
            self._session = session
        return session

    def _notify(self, method: str, token: str, session: Mapping[str, str]) -> None:
        with self._sent({"jsonrpc": "2.0", "method": method}, token, session) as response:
            response.read()

    def _post(
        self,
        method: str,
        params: Mapping[str, Any],
        token: str,
        session: Mapping[str, str],
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """Ask and give the result."""
        import httpx

        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            with self._sent(message, token, session) as response:
                if headers is not None:
                    headers.update({name.lower(): value for name, value in response.headers.items()})
                answer = _answer(response)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise ToolFailed(f"{self._name} is not available now") from error
        except httpx.HTTPError as error:
            raise Unavailable(f"{self._name}: the answer was lost: {type(error).__name__}") from None
        if fault := answer.get("error"):
            if fault.get("code") == _BROKE:
                raise Unavailable(f"{self._name} broke while it answered")
            raise ToolFailed(str(fault.get("message", "refused"))[:1000])
        result = answer.get("result")
        if not isinstance(result, dict):
            raise Unavailable(f"{self._name} answered nonsense")
        return result

    def _sent(self, message: Mapping[str, Any], token: str, session: Mapping[str, str]) -> "_Response":
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            **telemetry.headers(),
            **session,
        }
        return _Response(self._name, self._opened(), self._url, json.dumps(message, ensure_ascii=False), headers)

    def _opened(self) -> "httpx.Client":
        import httpx

        with self._lock:
            if self._http is None:
                timeout = httpx.Timeout(self._seconds, connect=CONNECT)
                self._http = httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False)
            return self._http


class _SessionLost(Exception):
    """The server does not know the session any more, and has done nothing."""


class _Response:
    """A response whose status has been judged: what is no answer raises."""

    def __init__(self, name: str, client: "httpx.Client", url: str, body: str, headers: Mapping[str, str]) -> None:
        self._name = name
        self._stream = client.stream("POST", url, content=body.encode(), headers=dict(headers))
        self._in_session = "Mcp-Session-Id" in headers

    def __enter__(self) -> "httpx.Response":
        response = self._stream.__enter__()
        try:
            self._judge(response.status_code)
        except BaseException:
            self._stream.__exit__(None, None, None)
            raise
        return response

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.__exit__(kind, error, trace)

    def _judge(self, status: int) -> None:
        if status in (200, 202):
            return
        if status in _LOST and self._in_session:
            raise _SessionLost
        if status in (400, 401, 403, 404, 405, 413, 415, 422, 429):
            raise ToolFailed(f"{self._name} refuses the call ({status})")
        raise Unavailable(f"{self._name} answered {status}")


def _answer(response: "httpx.Response") -> dict[str, Any]:
    """Read the one JSON-RPC answer, from a JSON body or out of a stream of events."""
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        for data in _events(response):
            message = _json(data)
            if "result" in message or "error" in message:
                return message
        raise Unavailable("the stream ended without an answer")
    return _json(b"".join(_capped(response)))


def _events(response: "httpx.Response") -> Iterator[bytes]:
    data: list[bytes] = []
    rest = b""
    for part in _capped(response):
        *lines, rest = (rest + part).split(b"\n")
        for line in (one.rstrip(b"\r") for one in lines):
            if line.startswith(b"data:"):
                data.append(line[5:].lstrip())
            elif not line and data:
                yield b"\n".join(data)
                data = []


def _capped(response: "httpx.Response") -> Iterator[bytes]:
    size = 0
    for part in response.iter_bytes():
        size += len(part)
        if size > LARGEST:
            raise ToolFailed("the answer is too large to be read")
        yield part


def _json(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unavailable("the answer is no JSON object")
    return found


def _text(result: Mapping[str, Any]) -> str:
    parts = [part for part in result.get("content", []) if isinstance(part, dict)]
    texts = [str(part.get("text", "")) for part in parts if part.get("type") == "text"]
    left_out = len(parts) - len(texts)
    return "\n".join([*texts, *([f"({left_out} parts that are no text are left out)"] if left_out else [])])
