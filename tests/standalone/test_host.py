"""One process for each function: kept running as long as the host wants, and not longer."""

import subprocess
import threading

from standalone.host import Processes


def test_process_that_is_started_again_during_the_stop_is_ended_too(tmp_path):
    """
    A function died just before: its successor does not stay behind.
    """
    spawning, stopping = threading.Event(), threading.Event()
    spawned = []

    class Slow(Processes):
        def _spawn(self, _):
            spawning.set()
            assert stopping.wait(20)
            spawned.append(subprocess.Popen(["sleep", "60"]))
            return spawned[-1]

    host = Slow(tmp_path, {}, {})
    host._children["greet"] = subprocess.Popen(["true"])
    host.start()
    assert spawning.wait(20)
    end = threading.Thread(target=host.stop)
    end.start()
    stopping.set()
    end.join()

    try:
        assert spawned[0].poll() is not None
    finally:
        spawned[0].kill()
        spawned[0].wait()
