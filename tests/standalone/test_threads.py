"""The broker's threads: workers when needed, one timer."""

import threading
import time

from standalone.threads import Timer, Workers

PATIENCE = 20


def test_every_task_runs_at_once():
    """
    Twenty tasks that wait for each other all meet: none stands behind another.
    """
    workers = Workers("test")
    meeting = threading.Barrier(21)

    for _ in range(20):
        workers.submit(lambda: meeting.wait(PATIENCE))
    meeting.wait(PATIENCE)
    workers.stop()

    assert not meeting.broken


def test_one_free_thread_is_not_promised_to_two_tasks():
    """
    Two tasks come before the free thread has looked: one takes it, the other gets a new one.
    """
    workers = Workers("test")
    workers.submit(lambda: None)
    with workers._changed:
        assert workers._changed.wait_for(lambda: not workers._tasks, PATIENCE)
        workers._changed.wait_for(lambda: workers._free == 1, 0.1)
    meeting = threading.Barrier(3)

    with workers._changed:
        workers.submit(lambda: meeting.wait(PATIENCE))
        workers.submit(lambda: meeting.wait(PATIENCE))

    meeting.wait(PATIENCE)
    workers.stop()


def test_free_threads_are_used_again():
    """
    A hundred tasks, one after the other, need a few threads only.
    """
    workers = Workers("test")
    threads = set()
    for _ in range(100):
        done = threading.Event()
        workers.submit(lambda done=done: (threads.add(threading.get_ident()), done.set()))
        assert done.wait(PATIENCE)
    workers.stop()

    assert len(threads) < 50


def test_task_that_fails_harms_no_other():
    """
    An exception is logged, and the thread goes on.
    """
    workers = Workers("test")
    done = threading.Event()

    workers.submit(lambda: 1 / 0)
    workers.submit(done.set)

    assert done.wait(PATIENCE)
    workers.stop()


def test_stopped_workers_run_nothing():
    """
    After the end a task is dropped.
    """
    workers = Workers("test")
    ran = threading.Event()
    workers.stop()

    workers.submit(ran.set)

    assert not ran.is_set()


def test_timer_calls_in_the_order_of_time_and_survives_a_callback_that_fails():
    """
    The earlier is called first, whatever came first; a failing callback does not end the timer.
    """
    timer = Timer(time.monotonic)
    called = []
    done = threading.Event()
    now = time.monotonic()
    timer.at(now + 0.02, lambda: (called.append("later"), done.set()))
    timer.at(now + 0.01, lambda: called.append("sooner"))
    timer.at(now, lambda: 1 / 0)

    timer.start()

    assert done.wait(PATIENCE)
    timer.stop()
    assert called == ["sooner", "later"]


def test_earlier_time_is_noticed_while_the_timer_waits_for_a_later_one():
    """
    A new first entry wakes the timer.
    """
    timer = Timer(time.monotonic)
    timer.start()
    done = threading.Event()
    timer.at(time.monotonic() + 3600, lambda: None)

    timer.at(time.monotonic(), done.set)

    assert done.wait(PATIENCE)
    timer.stop()
