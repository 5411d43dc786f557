"""
Slack's side of Socket Mode: a WebSocket to an app, envelopes that are sent again until they are acknowledged.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode
Left out: more than one connection at a time, `approximate_connection_time`, warnings before a disconnect.
"""

import json
import threading
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve


class SocketStandIn:
    """Serves at `url`. `send` gives an envelope to the app that is connected, `acknowledged` what it has answered."""

    def __init__(self) -> None:
        self._server: Server = serve(self._connected, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/link?ticket=1"
        self._changed = threading.Condition()
        self._app: ServerConnection | None = None
        self.acknowledged: dict[str, Any] = {}
        self.connections = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()

    def send(self, kind: str, payload: Mapping[str, Any], envelope_id: str | None = None) -> str:
        """Send an envelope (events_api, slash_commands, interactive); gives its id. Waits for an app."""
        envelope = {"envelope_id": envelope_id or str(uuid.uuid4()), "type": kind, "payload": payload}
        more = {"accepts_response_payload": kind != "events_api"}
        with self._changed:
            assert self._changed.wait_for(lambda: self._app is not None, 20), "no app has connected"
            app = self._app
        assert app
        app.send(json.dumps({**envelope, **more}))
        return str(envelope["envelope_id"])

    def wait_for(self, envelope_id: str, seconds: float = 10) -> Any:
        """Wait for an acknowledgement; gives its payload. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: envelope_id in self.acknowledged, seconds):
                raise TimeoutError(f"not acknowledged in {seconds} s")
            return self.acknowledged[envelope_id]

    def refresh(self) -> None:
        """Tell the app to connect anew, as Slack does every few hours."""
        with self._changed:
            app, self._app = self._app, None
        if app:
            app.send(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))

    def _connected(self, connection: ServerConnection) -> None:
        connection.send(json.dumps({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A0PARLEY1"}}))
        with self._changed:
            self._app, self.connections = connection, self.connections + 1
            self._changed.notify_all()
        try:
            for message in connection:
                answer = json.loads(message)
                with self._changed:
                    self.acknowledged[answer["envelope_id"]] = answer.get("payload")
                    self._changed.notify_all()
        except ConnectionClosed:
            return
