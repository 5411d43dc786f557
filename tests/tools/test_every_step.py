"""
The laptop refresh with a process that dies at each point: before and after each statement, each word of the model, each
call of a tool. One ticket, and the answer that names it.
"""

import itertools

import pytest
from core.turning import Died
from tools.conftest import World

from parley.adapters.postgres.requests import Requests

WATCHED = ("claim", "journal", "intend", "tell", "wait", "complete", "release", "ask", "run")


class Fuse:
    """Burns down by one at each point; the process dies at the last one."""

    def __init__(self, points: int) -> None:
        self.left = points

    def burn(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Died


class Deadly:
    """Something whose calls are points: one before, one after."""

    def __init__(self, target, fuse):
        self._target, self._fuse = target, fuse

    def __getattr__(self, name):
        found = getattr(self._target, name)
        if name not in WATCHED:
            return found

        def called(*arguments, **options):
            self._fuse.burn()
            given = found(*arguments, **options)
            self._fuse.burn()
            return given

        return called


def lived_through(world: World, fuse: Fuse) -> tuple[str, int]:
    """Hold the conversation; when the process dies, the next one takes over. Gives the last answer and the deaths."""
    impatient, deaths = Requests(world.database, lease=0), 0

    def until(created, states):
        nonlocal deaths
        while world.standing(created)["state"] not in states:
            try:
                world.handler(
                    store=Deadly(impatient, fuse), engine=Deadly(world.engine, fuse), tools=Deadly(world.tools, fuse)
                )(created)
            except Died:
                deaths += 1
        return world.standing(created)

    until(world.accept("I need a new laptop"), ("completed",))
    order = world.accept("Order it, please")
    until(order, ("requires_action",))
    world.decide(order, approve=True)
    return until(order, ("completed",))["result"]["text"], deaths


@pytest.mark.parametrize("stride", [1, 3])
def test_one_ticket_whatever_dies_when(world, tickets, rows, stride):
    """Each point of the conversation in turn (every other one)."""
    struck = 0
    for point in itertools.count(stride + 1, 4):
        rows("delete from desk_tickets")
        rows("update sessions set status = 'closed'")

        text, deaths = lived_through(world, Fuse(point))

        assert text.startswith("It is ordered: ticket REQ"), point
        assert tickets() == [
            {"email": "ann@example.org", "kind": "laptop_refresh", "asset": "AF104712", "state": "open"}
        ], point
        if not deaths:
            break
        struck += 1
    assert struck >= 15, "the conversation has many points"
