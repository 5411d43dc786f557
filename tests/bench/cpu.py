"""CPU time of processes, as Linux counts it (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html)."""

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import psycopg

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds(pid: int) -> float:
    """Give the seconds, user and system, of a process and of all that it has started, living or not."""
    times, children = dict[int, int](), defaultdict[int, list[int]](list)
    for one, parent, ticks in _processes():
        times[one] = ticks
        children[parent].append(one)
    found, left = 0, [pid]
    while left:
        one = left.pop()
        found += times.get(one, 0)
        left += children[one]
    return found / _TICKS


def postgres(url: str) -> int:
    """Give the process of the server, on this machine, from which all its others come."""
    with psycopg.connect(url) as connection:
        backend = connection.info.backend_pid
        return next(parent for one, parent, _ in _processes() if one == backend)


def _processes() -> Iterator[tuple[int, int, int]]:
    """Give the number, the parent and the ticks of each; those of children that have ended are their parent's."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            words = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            yield int(entry.name), int(words[1]), sum(map(int, words[11:15]))
