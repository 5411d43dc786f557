"""One function in a process of its own, which ends when the host that started it is gone."""

import os
import signal
import sys
import threading

from parley import serve
from standalone.threads import SIGNALS


def watch(stream: int) -> None:
    """Wait until the host's end of the pipe is closed, then leave as for SIGTERM."""
    while os.read(stream, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=watch, args=(sys.stdin.fileno(),), daemon=True).start()
    serve.main(sys.argv[1], os.environ)
