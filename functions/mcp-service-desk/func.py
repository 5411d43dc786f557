"""
mcp-service-desk: the tools of an IT service desk, as an example of a use case.

Takes MCP (streamable HTTP) at `/` and `/mcp`, with agent-turn's signed token of who asks.
Gives results; keeps employees, laptops and tickets in tables of its own.
"""

from dataclasses import dataclass

from parliament import Context

try:
    from parley import mcp, runtime, tokens
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.service_desk import NotYours, RefreshOpen, ServiceDesk
    from parley.service_desk import Desk
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=mcp-service-desk`") from missing


@dataclass(frozen=True)
class Config:
    database_url: str
    tool_public_key: str
    tool_audience: str = "service-desk"


def build(cfg: Config) -> mcp.McpServer:
    store = ServiceDesk(Database(cfg.database_url, name="service-desk", min_schema=6))
    tools = Desk(store, taken=RefreshOpen, missing=NotYours).tools()
    verifier = tokens.Verifier(cfg.tool_public_key, cfg.tool_audience)
    return mcp.McpServer("service-desk", verifier, tools, ready=store.ready, close=store.close)


function = runtime.http_function("mcp-service-desk", config=Config, build=build, paths=("/mcp",))


def main(context: Context) -> runtime.Response:
    return function(context)
