"""Waiting for an answer, and being let go."""

import threading
from uuid import UUID

from parley.api.routes import most_waiters
from parley.api.waiting import Waiting
from standalone.__main__ import Settings

ID = UUID(int=1)


def test_whoever_waits_is_let_go_when_the_process_leaves():
    """The answer is not there: the caller hears where to ask for it, and the end is not held up."""
    leaving, looked = threading.Event(), threading.Event()

    def look(_):
        looked.set()
        return {}

    waiting = Waiting(look, lambda _: [], most=2, leaving=leaving.is_set)
    found = []
    waiter = threading.Thread(target=lambda: found.append(waiting.wait(ID, lambda *_: True, 600)))
    waiter.start()
    assert looked.wait(10)
    leaving.set()
    waiter.join(10)
    assert found == [False]


def test_whoever_has_an_answer_gets_it_also_then():
    waiting = Waiting(lambda ids: dict.fromkeys(ids, (2, "completed")), lambda _: [], most=2, leaving=lambda: True)
    assert waiting.wait(ID, lambda _, state: state == "completed", 600) is True


def test_two_hundred_may_wait_at_once():
    """Where all run in one process as in the cluster, which gives the same number of threads."""
    assert most_waiters(Settings().threads) >= 200
