"""
The server's side of MCP by streamable HTTP (https://modelcontextprotocol.io/specification/2025-06-18/basic/transports):
without sessions and without streams, so any instance answers any call and none need live.

A tool is a function of the caller and its arguments. Who calls is what the signed token says, whatever the arguments
say; a call whose token is for another tool or other arguments is refused.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parley.domain.actions import digest
from parley.envelope import dumps
from parley.tokens import Caller, Untrusted, Verifier

log = logging.getLogger("parley.mcp")

VERSIONS = ("2025-06-18", "2025-03-26", "2025-11-25")
JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}

Response = tuple[str | bytes, int, Mapping[str, str]]


class Refused(Exception):
    """The tool says no, and nothing has happened. The text is for the model."""


@dataclass(frozen=True)
class Offered:
    """One tool: `run` takes the caller and the arguments, gives what can be JSON. `annotations` as MCP has them."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    run: Callable[[Caller, Mapping[str, Any]], Mapping[str, Any]]
    annotations: Mapping[str, bool] = field(default_factory=dict)

    def listed(self) -> dict[str, Any]:
        """Give it as `tools/list` does."""
        return {
            "name": self.name,
            "description": self.description,
            "inputSchema": dict(self.parameters),
            "annotations": dict(self.annotations),
        }


class _Fault(Exception):
    """A JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class McpServer:
    """An HTTP handler (parley.runtime.http_function) that offers tools."""

    def __init__(
        self,
        name: str,
        verifier: Verifier,
        tools: Sequence[Offered],
        *,
        ready: Callable[[], None] = lambda: None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self.ready = ready
        self.close = close
        self._verifier = verifier
        self._tools = {tool.name: tool for tool in tools}

    def __call__(self, request: Any) -> Response:
        if request.method != "POST":
            return "", 405, {"Allow": "POST"}
        if request.headers.get("Origin"):  # no browser has business here (DNS rebinding)
            return "", 403, {}
        try:
            caller = self._verifier.caller(request.headers.get("Authorization", ""))
        except Untrusted as error:
            log.warning("not trusted", extra={"fields": {"reason": str(error)}})
            return "", 401, {"WWW-Authenticate": "Bearer"}
        try:
            message = json.loads(request.get_data())
        except ValueError:
            return _error(None, -32700, "not JSON", 400)
        return self._answer(message, caller)

    def _answer(self, message: Any, caller: Caller) -> Response:
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or "method" not in message:
            return _error(None, -32600, "not a JSON-RPC request", 400)
        if "id" not in message:
            return "", 202, {}  # a notification
        try:
            result = self._result(message["method"], message.get("params") or {}, caller)
        except _Fault as fault:
            return _error(message["id"], fault.code, str(fault))
        return dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), 200, JSON

    def _result(self, method: str, params: Any, caller: Caller) -> Mapping[str, Any]:
        if not isinstance(params, dict):
            raise _Fault(-32602, "params must be an object")
        match method:
            case "initialize":
                wanted = params.get("protocolVersion")
                return {
                    "protocolVersion": wanted if wanted in VERSIONS else VERSIONS[0],
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": self._name, "version": "1"},
                }
            case "ping":
                return {}
            case "tools/list":
                return {"tools": [tool.listed() for tool in self._tools.values()]}
            case "tools/call":
                return self._called(params, caller)
        raise _Fault(-32601, "no such method")

    def _called(self, params: Mapping[str, Any], caller: Caller) -> Mapping[str, Any]:
        name, arguments = str(params.get("name")), params.get("arguments") or {}
        if not isinstance(arguments, dict):
            raise _Fault(-32602, "arguments must be an object")
        if (tool := self._tools.get(name)) is None:
            raise _Fault(-32602, "no such tool")
        if caller.key is None or caller.call != digest(name, arguments):
            raise _Fault(-32602, "the token is for another call")
        if faults := _invalid(tool.parameters, arguments):
            return _said(f"invalid arguments: {faults}", is_error=True)
        try:
            given = tool.run(caller, arguments)
        except Refused as error:
            return _said(str(error), is_error=True)
        return {**_said(json.dumps(given, ensure_ascii=False, default=str)), "structuredContent": dict(given)}


def _invalid(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """Say what is wrong with arguments, or nothing."""
    import fastjsonschema

    try:
        fastjsonschema.validate(dict(schema), dict(arguments))
    except fastjsonschema.JsonSchemaValueException as error:
        return str(error.message)[:300]
    return ""


def _said(text: str, *, is_error: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": is_error}


def _error(number: Any, code: int, message: str, status: int = 200) -> Response:
    return dumps({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}), status, JSON
