"""Threads for waitress: as many as there is work for, up to a limit, and used again."""

import threading

from processes import until

from parley.dispatch import Dispatcher


class Task:
    """Runs until it is let go."""

    def __init__(self):
        self.began, self.go, self.ended = (threading.Event() for _ in range(3))

    def service(self):
        self.began.set()
        assert self.go.wait(20)
        self.ended.set()


def test_nothing_is_started_before_it_is_needed():
    """A process that waits has no thread for those who may come."""
    assert len(Dispatcher(200).threads) == 0


def test_each_gets_a_thread_until_there_are_the_most():
    """Three at once run at once; the fourth waits for one of them, and no fourth thread is made."""
    dispatcher = Dispatcher(3)
    tasks = [Task() for _ in range(4)]
    for task in tasks:
        dispatcher.add_task(task)
    assert all(task.began.wait(10) for task in tasks[:3])
    assert not tasks[3].began.is_set()

    tasks[0].go.set()
    assert tasks[3].began.wait(10)

    assert len(dispatcher.threads) == 3
    for task in tasks:
        task.go.set()
    assert all(task.ended.wait(10) for task in tasks)
    dispatcher.shutdown()


def test_free_thread_is_used_again():
    """A hundred, one after the other, need one thread or two."""
    dispatcher = Dispatcher(50)
    for _ in range(100):
        task = Task()
        task.go.set()
        dispatcher.add_task(task)
        assert task.ended.wait(10)
        until(lambda: dispatcher.active_count == 0)

    assert len(dispatcher.threads) == 1
    dispatcher.shutdown()
