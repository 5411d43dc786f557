"""
All functions behind the local broker: in one process, or one process for each.

The two modes differ in how an event reaches a function: by a call of its WSGI app, or over HTTP.
"""

import http.client
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parley import serve
from parley.adapters.postgres.roles import url_as
from parley.errors import Misconfigured, Unavailable
from parley.runtime import Function
from standalone.threads import uninterrupted


def names(root: Path) -> list[str]:
    """Give the functions of the project: the folders with a func.py."""
    return sorted(file.parent.name for file in (root / "functions").glob("*/func.py"))


def as_role(name: str, env: Mapping[str, str]) -> dict[str, str]:
    """Give the settings of one function: with DATABASE_ROLES it signs in at the database as its own role."""
    if env.get("DATABASE_ROLES", "").lower() not in ("true", "1"):
        return dict(env)
    return {**env, "DATABASE_URL": url_as(env["DATABASE_URL"], name)}


def load(root: Path, name: str, env: Mapping[str, str]) -> Function:
    """Import one function's func.py under a name of its own, with its own environment."""
    path = root / "functions" / name / "func.py"
    spec = importlib.util.spec_from_file_location(f"parley_function_{name.replace('-', '_')}", path)
    assert spec, "a path gives a spec"
    assert spec.loader, "a file has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    function: Function = module.function
    function.configure(as_role(name, env))
    return function


@dataclass
class InProcess:
    """Every function in this process."""

    functions: dict[str, Function]
    apps: dict[str, Any]

    @classmethod
    def start(cls, root: Path, env: Mapping[str, str]) -> "InProcess":
        """Load every function. Raises Misconfigured, naming the function and the setting."""
        functions = {name: load(root, name, env) for name in names(root)}
        for name, function in functions.items():
            try:
                function.handler  # noqa: B018 - built now, so that a wrong setting ends the start
            except Misconfigured as error:
                raise Misconfigured(f"{name}: {error}") from None
        return cls(functions, {name: serve.application(function) for name, function in functions.items()})

    def stop(self) -> None:
        """Give back what the functions hold."""
        for function in self.functions.values():
            function.close()


@dataclass
class Processes:
    """One process for each function; one that dies is started again, as a cluster would."""

    root: Path
    env: Mapping[str, str]
    ports: dict[str, int]
    own: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # what one of them has of its own
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _keeper: threading.Thread | None = None

    def start(self, seconds: float = 60.0) -> None:
        """
        Start every function, wait until each says that it is ready, and keep them running from then on.

        Raises Misconfigured, naming one that has ended meanwhile, or Unavailable, naming one that does not get ready.
        """
        until = time.monotonic() + seconds
        for name in self.ports:
            with uninterrupted():
                self._children[name] = self._spawn(name)
        for name, port in self.ports.items():
            while not _is_ready(port):
                if ended := next((one for one, child in self._children.items() if child.poll() is not None), None):
                    raise Misconfigured(f"{ended}: does not start; its reason is above")
                if time.monotonic() > until:
                    raise Unavailable(f"{name} does not get ready")
                time.sleep(0.02)
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def pids(self) -> dict[str, int]:
        """Give the process of each function."""
        return {name: child.pid for name, child in self._children.items()}

    def stop(self, seconds: float = 15.0) -> None:
        """End every process: politely, then not."""
        self._stopping.set()
        if self._keeper:
            self._keeper.join()
        for child in self._children.values():
            child.terminate()
        for child in self._children.values():
            try:
                child.wait(seconds)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _spawn(self, name: str) -> subprocess.Popen[bytes]:
        env = {
            **self.own.get(name, {}),
            **as_role(name, self.env),
            "PORT": str(self.ports[name]),
            "ADDRESS": "127.0.0.1",
        }
        first, place = int(env.get("OTEL_EXPORTER_PROMETHEUS_PORT") or 9464), list(self.ports).index(name)
        env["OTEL_EXPORTER_PROMETHEUS_PORT"] = str(first + place)  # a port for each, when they are read at all
        path = os.pathsep.join([str(self.root / "lib"), env.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        # The pipe ends with this process, however it dies: that is how a child learns of it. A terminal's Ctrl-C is for
        # this process only, which ends the children when they have nothing left to do.
        command = [sys.executable, "-m", "standalone.child", str(self.root / "functions" / name)]
        return subprocess.Popen(  # noqa: S603
            command, env={**env, "PYTHONPATH": path}, stdin=subprocess.PIPE, process_group=0
        )

    def _keep(self) -> None:
        while not self._stopping.wait(0.25):
            for name, child in self._children.items():
                if child.poll() is not None:
                    self._children[name] = self._spawn(name)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/readiness")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def free_ports(count: int, *, but: Container[int] = ()) -> list[int]:
    """Give ports of 127.0.0.1 that nobody listens on now, and none of those that are promised to somebody."""
    sockets: list[socket.socket] = []
    found: list[int] = []
    try:
        while len(found) < count:
            one = socket.socket()
            sockets.append(one)  # kept open meanwhile: no port comes twice
            one.bind(("127.0.0.1", 0))
            if one.getsockname()[1] not in but:
                found.append(one.getsockname()[1])
        return found
    finally:
        for one in sockets:
            one.close()


def probe(setting: str, address: str, port: int) -> None:
    """Raise Misconfigured that names the setting when nobody can listen at a port now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.create_server((address, port), family=family).close()
    except (OSError, OverflowError) as error:
        raise Misconfigured(f"{setting}: {error}") from None
