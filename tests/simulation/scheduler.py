"""One thing at a time: tasks are threads that run only when told, and stop at every point where fate may strike."""

import threading
from collections.abc import Callable
from typing import Any


class Crash(BaseException):
    """The process is gone: nothing of it runs any more."""


class Task:
    """One invocation of a function, as far as it has come."""

    def __init__(self, scheduler: "Scheduler", name: str, body: Callable[[], Any], event: Any) -> None:
        self.name = name
        self.event = event
        self.at = ""  # the point where it stands
        self.order: BaseException | None = None  # what it finds there when it goes on
        self.asleep_until = 0.0
        self.over = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._scheduler = scheduler
        self._body = body
        self._go = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Let it run to its next point, or to its end."""
        self._go.release()
        self._scheduler.control.acquire()

    def reach(self, point: str) -> None:
        """Stop here, called by the task itself; goes on when it is told to."""
        self.at = point
        self._scheduler.control.release()
        self._go.acquire()
        order, self.order = self.order, None
        if order is not None:
            raise order

    def _run(self) -> None:
        self._go.acquire()
        self._scheduler.mine.task = self
        try:
            self.result = self._body()
        except BaseException as error:  # noqa: BLE001 - whatever ends it is its outcome
            self.error = error
        self.over = True
        self._scheduler.control.release()


class Scheduler:
    """Hands control to one task at a time and takes it back at each point."""

    def __init__(self) -> None:
        self.control = threading.Semaphore(0)
        self.mine = threading.local()
        self.tasks: list[Task] = []

    def spawn(self, name: str, body: Callable[[], Any], event: Any = None) -> Task:
        """Make a task; it does not run yet."""
        task = Task(self, name, body, event)
        self.tasks.append(task)
        return task

    def point(self, name: str) -> None:
        """Stop the task that calls this."""
        self.mine.task.reach(name)

    def drop(self) -> None:
        """End what is still there: nothing of this world must touch the next one."""
        for task in self.tasks:
            while not task.over:
                task.order = Crash()
                task.step()
        self.tasks.clear()


class Pointed:
    """Something whose every call is two points: before, when nothing is done yet, and after, when all of it is."""

    def __init__(self, scheduler: Scheduler, name: str, inner: Any) -> None:
        self._scheduler, self._name, self._inner = scheduler, name, inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def called(*arguments: Any, **named: Any) -> Any:
            self._scheduler.point(f"{self._name}.{name} before")
            result = found(*arguments, **named)
            self._scheduler.point(f"{self._name}.{name} after")
            return result

        return called
