"""
Hold `config/tools` against what the servers offer today.

    python -m parley.adapters.tool_check     exits with 1 and a line for each difference

The file decides what agents may do; a server that has changed since is seen here, and changes nothing by itself.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from parley import config
from parley.adapters.mcp import McpClient
from parley.adapters.toolset import at
from parley.agents.load import load_all
from parley.agents.tools import ToolServer
from parley.errors import Misconfigured, Unavailable
from parley.ports import ToolFailed
from parley.tokens import Caller, Signer

NOBODY = Caller(UUID(int=0), None, (), "tool-check")


@dataclass(frozen=True)
class Settings:
    """The same as agent-turn's."""

    tool_signing_key: str
    config_dir: Path = Path("config")
    mcp_urls: tuple[str, ...] = ()


def main(env: Mapping[str, str]) -> int:
    """Print every difference. Returns 1 when there is one, 2 when a setting is wrong."""
    try:
        settings = config.load(Settings, env)
        places, signer = at(settings.mcp_urls), Signer(settings.tool_signing_key)
        servers = load_all(settings.config_dir).tools.servers
    except Misconfigured as error:
        print(f"parley: {error}", file=sys.stderr)
        return 2
    found = [line for server in servers for line in _server(server, places, signer)]
    print("\n".join(found) or f"{len(servers)} servers offer what config/tools says")
    return 1 if found else 0


def _server(server: ToolServer, places: Mapping[str, str], signer: Signer) -> Iterator[str]:
    client = McpClient(server.name, places.get(server.name, server.url), seconds=server.seconds)
    try:
        offered = {tool["name"]: tool for tool in client.tools(signer.token(NOBODY, server.name))}
    except (ToolFailed, Unavailable) as error:
        yield f"{server.name}: {error}"
        return
    finally:
        client.close()
    yield from differences(server, offered)


def differences(server: ToolServer, offered: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Say what a server's file and its own list do not agree on."""
    for tool in server.tools:
        if tool.name not in offered:
            yield f"{server.name}.{tool.name}: the server does not offer it"
            continue
        theirs = offered[tool.name].get("inputSchema", {})
        for part in ("properties", "required"):
            own, other = tool.parameters.get(part) or (), theirs.get(part) or ()
            if set(own) != set(other):
                yield f"{server.name}.{tool.name}: {part}: {sorted(own)} here, {sorted(other)} there"
    for name in sorted(set(offered) - {tool.name for tool in server.tools}):
        yield f"{server.name}.{name}: offered, and not in the file: nobody may call it"


if __name__ == "__main__":
    sys.exit(main(os.environ))
