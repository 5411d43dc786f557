"""Threads for waitress: started when they are needed, up to a limit, instead of all of them at the start."""

from typing import Any

from waitress.task import ThreadedTaskDispatcher


class Dispatcher(ThreadedTaskDispatcher):
    """
    Starts a thread when a request comes and all threads are busy, until there are `most`.

    A process that has to hold two hundred callers who wait costs nothing for them until they come.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self._started = 0

    def add_task(self, task: Any) -> None:
        """Queue a request; waitress calls this in its main thread."""
        with self.lock:
            self.queue.append(task)
            free = len(self.threads) - self.stop_count - self.active_count
            if free < len(self.queue) and len(self.threads) < self.most:
                self._start()
            self.queue_cv.notify()

    def _start(self) -> None:
        self._started += 1
        self.threads.add(self._started)
        self.active_count += 1  # as waitress counts: a thread is active until it waits for work
        self.start_new_thread(self.handler_thread, self._started)
