"""
The quick part of the simulation; `make simulate` runs all of it.

A world that goes wrong is shown with what struck it; one by chance is seen again with `make simulate SEED=…`.
"""

from itertools import islice

from simulation.runs import FEW, chance, singles, special

WORLDS = 100


def test_every_promise_is_kept_whatever_goes_wrong_once(ground):
    assert [str(found) for play in singles(ground) if (found := play())] == []


def test_every_promise_is_kept_when_people_decide_and_when_messages_are_answered_together(ground):
    assert [str(found) for play in islice(special(ground), 0, None, FEW) if (found := play())] == []


def test_every_promise_is_kept_in_worlds_of_chance(ground):
    assert [str(found) for seed in range(WORLDS) if (found := chance(ground, seed))] == []


def test_a_world_is_the_same_each_time(ground):
    """Else a seed would show nothing."""
    from simulation.fate import Seeded
    from simulation.runs import SCENARIO
    from simulation.world import World

    seen = []
    for _ in range(2):
        fate = Seeded(7, rate=0.1)
        world = World(ground, fate, SCENARIO)
        assert world.run() == []
        seen.append((fate.points, fate.struck, [(one.channel, one.place[-4:]) for one in world.arrivals]))
    assert seen[0] == seen[1]
