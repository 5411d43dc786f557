"""The official MCP package (as Llama Stack installs it), against both sides of ours: its client and its server."""

import json
import subprocess
import sys
import threading
import uuid

import httpx
import pytest
import yaml

from devkit.llama import VENV
from parley import serve, tokens
from parley.adapters.mcp import McpClient
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.service_desk import ServiceDesk
from parley.domain.actions import digest
from parley.ports import ToolFailed
from standalone import host
from standalone.__main__ import ROOT

KEY = "A" * 42 + "E"
CLIENT = """
import asyncio, json, sys
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

async def main(url, listing, calling):
    found = {}
    async with streamablehttp_client(url, headers={"Authorization": "Bearer " + listing}) as (read, write, _):
        async with ClientSession(read, write) as session:
            found["server"] = (await session.initialize()).serverInfo.name
            found["tools"] = [tool.name for tool in (await session.list_tools()).tools]
    async with streamablehttp_client(url, headers={"Authorization": "Bearer " + calling}) as (read, write, _):
        async with ClientSession(read, write) as session:
            await session.initialize()
            found["result"] = (await session.call_tool("find_laptops", {})).structuredContent
    print(json.dumps(found))

asyncio.run(main(*sys.argv[1:]))
"""
SERVER = """
import sys
from mcp.server.fastmcp import FastMCP
server = FastMCP("official", host="127.0.0.1", port=int(sys.argv[1]), json_response=sys.argv[2] == "json")

@server.tool()
def add(a: int, b: int) -> str:
    if a < 0:
        raise ValueError("not below zero")
    return str(a + b)

server.run(transport="streamable-http")
"""


@pytest.fixture
def python(real_server):
    """The Python that has the official package."""
    return str(VENV / "bin" / "python")


def test_its_client_uses_our_server(python, database, database_url):
    ServiceDesk(Database(database_url, name="test")).load(
        yaml.safe_load((ROOT / "config" / "service-desk" / "employees.yaml").read_text(encoding="utf-8"))
    )
    function = host.load(ROOT, "mcp-service-desk",
                         {"DATABASE_URL": database_url, "TOOL_PUBLIC_KEY": tokens.public_of(KEY)})  # fmt: skip
    port = host.free_ports(1)[0]
    server = serve.listen(serve.application(function), "PORT", "127.0.0.1", port, threads=4)
    threading.Thread(target=server.run, daemon=True).start()
    signer, who = tokens.Signer(KEY), (uuid.uuid4(), "ann@example.org", (), "it-desk")
    listing = signer.token(tokens.Caller(*who), "service-desk")
    calling = signer.token(tokens.Caller(*who, uuid.uuid4(), digest("find_laptops", {})), "service-desk")

    command = [python, "-c", CLIENT, f"http://127.0.0.1:{port}/mcp", listing, calling]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    server.close()
    function.close()
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["server"] == "service-desk"
    assert {"find_laptops", "order_refresh"} <= set(found["tools"])
    assert found["result"]["laptops"] == [{"asset": "AF104712", "model": "Standard 14", "shipped": "2023-01-09"}]


@pytest.mark.parametrize("kind", ["json", "stream"])
def test_our_client_uses_its_server(python, kind):
    port = host.free_ports(1)[0]
    process = subprocess.Popen([python, "-c", SERVER, str(port), kind], stdout=sys.stderr, stderr=sys.stderr)
    client = McpClient("official", f"http://127.0.0.1:{port}/mcp", seconds=10)
    try:
        _wait_for(port)
        key = uuid.uuid4()
        assert [tool["name"] for tool in client.tools("t")] == ["add"]
        assert client.call("add", {"a": 2, "b": 3}, token="t", key=key) == "5"
        with pytest.raises(ToolFailed, match="not below zero"):
            client.call("add", {"a": -1, "b": 3}, token="t", key=key)
    finally:
        client.close()
        process.kill()
        process.wait()


def _wait_for(port):
    for _ in range(600):
        try:
            httpx.get(f"http://127.0.0.1:{port}/mcp", timeout=5)
        except httpx.TransportError:
            threading.Event().wait(0.05)
        else:
            return
    raise AssertionError("it does not listen")
