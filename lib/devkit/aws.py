"""
A stand-in for Amazon Web Services: moto's server, as a process of its own.

    with Amazon() as amazon:
        boto3.client("sns", endpoint_url=amazon.endpoint_url, **amazon.credentials).publish(...)
        assert amazon.sms() == [TextMessage("+4915…", "hello", id)]

True to https://docs.getmoto.org/en/latest/docs/server_mode.html, which imitates https://docs.aws.amazon.com/sns/.
Left out: what moto leaves out, among it throttling, spend limits, and checking credentials.
"""

import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import IO, Any, ClassVar, Self

import httpx

_LISTENING = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True)
class TextMessage:
    """One SMS that was handed to SNS."""

    number: str
    text: str
    id: str


class Amazon:
    """A server with no state but its own, on a free port."""

    credentials: ClassVar[Mapping[str, Any]] = {  # keyword arguments of boto3.client
        "region_name": "eu-central-1",
        "aws_access_key_id": "stand-in",
        "aws_secret_access_key": "stand-in",
    }

    def __init__(self, patience: float = 60) -> None:
        self._patience = patience
        self._process: subprocess.Popen[str] | None = None
        self.endpoint_url = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr
        said: SimpleQueue[str | None] = SimpleQueue()
        threading.Thread(target=_listen, args=(self._process.stderr, said), daemon=True).start()
        try:
            url = said.get(timeout=self._patience)
        except Empty:
            url = None
        if url is None:
            self._end()
            raise RuntimeError("moto's server did not start; is moto[server] installed?")
        self.endpoint_url = url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def sms(self) -> list[TextMessage]:
        """Give the text messages so far, in order."""
        found = self.data("sns").get("SMS", [])
        return [TextMessage(sms["phone_number"], sms["message"], sms["message_id"]) for sms in found]

    def data(self, service: str) -> dict[str, list[Any]]:
        """Give all that moto keeps for one service, by the names of its models."""
        answer = httpx.get(f"{self.endpoint_url}/moto-api/data.json", trust_env=False).raise_for_status()
        return dict(answer.json().get(service, {}))

    def reset(self) -> None:
        """Forget everything."""
        httpx.post(f"{self.endpoint_url}/moto-api/reset", trust_env=False).raise_for_status()

    def _end(self) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _listen(stream: IO[str], said: SimpleQueue[str | None]) -> None:
    """Tell the address once it is said, None when the process ends; read on, so that the process never blocks."""
    with stream:
        for line in stream:
            if match := _LISTENING.search(line):
                said.put(match[1])
    said.put(None)
