"""
The day parliament ends: a function of ours, as its folder has it, under func-python (ASGI, version 2 of cloudevents).

    python func_python_adapter.py FOLDER

All that knows either of the two is here. func.py imports one name of parliament's, which a file of a line would keep.
"""

import asyncio
import os
import sys
import types
from importlib import util
from pathlib import Path

from cloudevents.core.bindings.http import HTTPMessage, from_http_event, to_binary_event
from func_python.cloudevent import serve

from parley import envelope, logs, runtime
from parley.errors import Unavailable

sys.modules["parliament"] = types.SimpleNamespace(Context=object)


class Request:
    """What a function needs of a request."""

    method = "POST"

    def __init__(self, event):
        message = to_binary_event(event)
        self.headers = message.headers
        self._body = message.body

    def get_data(self):
        return self._body


class Served:
    """What func-python wants of a function; the function itself works in a thread, as it does elsewhere."""

    def __init__(self, function):
        self._function = function
        function.reply = lambda event: event
        self.stop = function.close

    def start(self, env):
        self._function.configure(env)

    def ready(self):
        try:
            self._function.ready()
        except Unavailable:
            return False, "not ready"
        return True, "OK"

    async def handle(self, scope, receive, send):
        context = types.SimpleNamespace(request=Request(scope["event"]))
        answer = await asyncio.to_thread(self._function, context)
        if isinstance(answer, envelope.Event):
            headers, body = envelope.to_binary(answer)
            await send.binary(from_http_event(HTTPMessage(headers=headers, body=body)))
            return
        body, status, *rest = answer
        headers = [(name.encode(), value.encode()) for name, value in (rest[0] if rest else {}).items()]
        await send.http({"type": "http.response.start", "status": status, "headers": headers})
        await send.http({"type": "http.response.body", "body": body.encode()})


def load(folder: Path) -> runtime.Function:
    """Give the function of a folder, unchanged."""
    spec = util.spec_from_file_location("func", folder / "func.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.function


def new():
    """What func-python calls."""
    return Served(load(Path(sys.argv[1])))


if __name__ == "__main__":
    logs.start(os.environ.get("LOG_LEVEL", "INFO"))
    serve(new)
