"""What servers offer, held against the files: a difference is a line, and changes nothing by itself."""

from tools.conftest import CONFIG, KEY, SHIPPED

from parley.adapters import tool_check


def test_the_shipped_server_offers_what_its_file_says(desk_url, capsys):
    env = {"TOOL_SIGNING_KEY": KEY, "CONFIG_DIR": str(CONFIG), "MCP_URLS": f"service-desk={desk_url}"}
    assert tool_check.main(env) == 0
    assert "1 servers offer" in capsys.readouterr().out


def test_what_differs_is_named():
    (server,) = SHIPPED.tools.servers
    offered = {tool.name: {"inputSchema": dict(tool.parameters)} for tool in server.tools}
    del offered["find_laptops"]
    offered["list_tickets"] = {"inputSchema": {"type": "object", "properties": {"email": {}}, "required": ["email"]}}
    offered["delete_everything"] = {}
    assert list(tool_check.differences(server, offered)) == [
        "service-desk.find_laptops: the server does not offer it",
        "service-desk.list_tickets: properties: [] here, ['email'] there",
        "service-desk.list_tickets: required: [] here, ['email'] there",
        "service-desk.delete_everything: offered, and not in the file: nobody may call it",
    ]


def test_a_server_that_is_not_there_is_a_line(capsys):
    env = {"TOOL_SIGNING_KEY": KEY, "CONFIG_DIR": str(CONFIG), "MCP_URLS": "service-desk=http://127.0.0.1:9/mcp"}
    assert tool_check.main(env) == 1
    assert "not available" in capsys.readouterr().out


def test_a_missing_key_is_named(capsys):
    assert tool_check.main({"CONFIG_DIR": str(CONFIG)}) == 2
    assert "TOOL_SIGNING_KEY" in capsys.readouterr().err
