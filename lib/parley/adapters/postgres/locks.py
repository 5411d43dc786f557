"""
Changing tables that others work with.

A change of a table waits for all who use it, and whoever comes meanwhile waits behind it; two changes in one
transaction may wait for somebody who waits for them. So it gives way before PostgreSQL looks for a deadlock (after a
second), lets the others go on, and tries again.
"""

import threading
import time
from collections.abc import Callable

import psycopg

PATIENCE = 300.0  # seconds
_PAUSE = 0.5


def patiently[T](connection: psycopg.Connection, change: Callable[[], T]) -> T:
    """Make a change in a transaction of its own. Raises psycopg.OperationalError when its tables are never free."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with connection.transaction():
                connection.execute("set local lock_timeout = '800ms'")
                return change()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if time.monotonic() > end:
                raise
        threading.Event().wait(_PAUSE)
