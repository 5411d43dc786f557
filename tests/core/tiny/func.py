"""
tiny: a function for the tests of serve.py, which does what its paths say.

Takes HTTP: a POST to `/` is told how much came, a GET fails.
"""

import threading
from dataclasses import dataclass

from parliament import Context

from parley import runtime


@dataclass(frozen=True)
class Config:
    secret: str
    threads: int = 8


class Tiny:
    def __init__(self, cfg):
        self._cfg = cfg
        self._inside = self._most = 0
        self._lock = threading.Lock()
        self._let_go = threading.Event()
        self._all = threading.Barrier(cfg.threads)

    def __call__(self, request):
        if request.method == "GET":
            raise KeyError(self._cfg.secret)
        return str(len(request.get_data()))

    def routes(self, app):
        for path in ("hold", "inside", "release", "meet", "most", "fail", "pause"):
            app.add_url_rule(f"/{path}", path, getattr(self, path))

    def hold(self):
        """Stay until /release."""
        with self._lock:
            self._inside += 1
        assert self._let_go.wait(30)
        return "held"

    def inside(self):
        return str(self._inside)

    def release(self):
        self._let_go.set()
        return "released"

    def pause(self):
        """Stay for a moment, as long as answering takes."""
        self._let_go.wait(0.2)
        return "paused"

    def meet(self):
        """Stay until as many are here as there are threads."""
        with self._lock:
            self._inside += 1
            self._most = max(self._most, self._inside)
        self._all.wait(20)
        with self._lock:
            self._inside -= 1
        return "met"

    def most(self):
        return str(self._most)

    def fail(self):
        raise ValueError(self._cfg.secret)


function = runtime.http_function("tiny", config=Config, build=Tiny)


def main(context: Context) -> runtime.Response:
    return function(context)
