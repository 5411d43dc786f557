"""Many worlds: every single fault, every pair, and worlds by chance."""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from simulation.fate import STORE_BEFORE, Fate, Seeded, Written, faults
from simulation.ground import Ground
from simulation.mutations import Mutation
from simulation.vendors import AT_ONCE, BUY, TOOLS
from simulation.world import Question, World

SCENARIO = (Question(1, 1, ("repeat",)), Question(1, 1, ("look_up", "never")))
BOUGHT = (Question(1, 1, (BUY, "repeat"), "yes"), Question(2, 1, (BUY,), "stale"))
CHANGED = (Question(1, 1, ("repeat", BUY), "other"), Question(1, 1, (BUY,), "approve"))
ASKED = (Question(1, 1, (BUY,), "approve"), Question(1, 1))
GROUPED = (Question(1, 1, (AT_ONCE, *TOOLS)),)
QUICK = (Question(1, 1, ("repeat",)), Question(1, 1, ("never",)), Question(1, 1))
SMALL = (Question(1, 1, ("look_up",)),)  # for pairs, of which there are many
LIKED = ("double", "lose", "pause", "refused", "unknown", "lost answer")
REACTIONS = ("", "yes", "no", "approve", "deny", "stale", "other")
FEW = 12  # of the special worlds, one of so many is enough for a quick look
LATER = 12  # points that a first fault may add


@dataclass(frozen=True)
class Finding:
    """A world that went wrong: how to see it again, what struck it, and what was wrong at its end."""

    name: str
    struck: tuple[str, ...]
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}: {'; '.join(self.wrong)} (struck by {', '.join(self.struck)})"


Play = Callable[[], Finding | None]  # a world that is ready to be played


class Unsound(Exception):
    """Something is wrong although nothing has gone wrong."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))


def play(
    ground: Ground, fate: Fate, name: str = "world", questions: Sequence[Question] = SCENARIO, *, together: bool = False
) -> Finding | None:
    """Run one world."""
    world = World(ground, fate, questions, together=together)
    try:
        wrong = world.run()
    except Exception as error:  # noqa: BLE001 - a bug in the code under test is a finding
        wrong = [repr(error)]
    finally:
        world.scheduler.drop()
    if not wrong:
        return None
    ground.clear()
    return Finding(name, tuple(fate.struck), tuple(wrong))


def points(
    ground: Ground, questions: Sequence[Question] = SCENARIO, *, eager: bool = False, together: bool = False
) -> list[str]:
    """Give the points of a world in which nothing goes wrong. Raises Unsound when it goes wrong all the same."""
    fate = Written(eager=eager)
    if finding := play(ground, fate, "nothing goes wrong", questions, together=together):
        raise Unsound(finding)
    return fate.points


def singles(ground: Ground) -> Iterator[Play]:
    """Give each fault at each point, in both orders of things."""
    for eager in (False, True):
        for plan in _each(points(ground, eager=eager)):
            yield partial(play, ground, Written(plan, eager=eager), "single")


def special(ground: Ground) -> Iterator[Play]:
    """Give each fault at each point of worlds with decisions, and with messages that are answered together."""
    for questions, together in ((CHANGED, False), (QUICK, True), (BOUGHT, False), (GROUPED, False)):
        for plan in _each(points(ground, questions, eager=together, together=together)):
            yield partial(play, ground, Written(plan, eager=together), "special", questions, together=together)
    yield from late(ground)


def pairs(ground: Ground, questions: Sequence[Question] = SCENARIO, near: Sequence[str] = ()) -> Iterator[Play]:
    """Give each two faults at two points; of those whose names begin like this, when names are given."""
    found = [*points(ground, questions), *["later before"] * LATER]
    wanted = [number for number, point in enumerate(found) if not near or point.startswith(tuple(near))]
    for first, second in itertools.combinations(wanted, 2):
        for fault, other in itertools.product(range(len(faults(found[first]))), range(len(faults(found[second])))):
            yield partial(play, ground, Written((first, fault), (second, other)), "pair", questions)


def late(ground: Ground) -> Iterator[Play]:
    """Give the worlds in which the second message comes late, while whatever is done first pauses somewhere."""
    found = points(ground, ASKED)
    fails = [number for number, point in enumerate(found) if point == "requests.accept before"][-1]
    for number, fault in _each(found):
        if number > fails and faults(found[number])[fault] == "pause":
            plan = Written((fails, STORE_BEFORE.index("fail")), (number, fault))
            yield partial(play, ground, plan, "late", ASKED)


def _each(found: Sequence[str]) -> Iterator[tuple[int, int]]:
    for number, point in enumerate(found):
        for fault in range(len(faults(point))):
            yield number, fault


def chance(ground: Ground, seed: int) -> Finding | None:
    """Run the world of a seed."""
    dice = random.Random(seed)
    tools = (*TOOLS, BUY) if dice.random() < 0.4 else TOOLS

    def question() -> Question:
        person, thread = dice.randrange(2), dice.randrange(2)
        wanted = dice.sample(tools, dice.randrange(4))
        grouped = (AT_ONCE,) if dice.random() < 0.3 else ()
        return Question(person, thread, (*grouped, *wanted), dice.choice(REACTIONS))

    questions = [question() for _ in range(dice.randrange(1, 5))]
    liked = dice.sample(LIKED, dice.randrange(3))
    rate, most = dice.choice((0.02, 0.06, 0.15)), dice.randrange(1, 10)
    fate = Seeded(dice.randrange(1 << 32), rate=rate, most=most, liked=liked)
    return play(ground, fate, f"SEED={seed}", questions, together=dice.random() < 0.3)


def notices(ground: Ground, mutation: Mutation, seeds: Iterable[int]) -> str:
    """Look for a world that shows that a protection is off. Gives what was seen; empty when nothing was."""
    with mutation.off():
        try:
            plans = list(_planned(ground, mutation))
            order = sorted(range(len(plans)), key=lambda number: number != mutation.shown)
            found = next((f"{number}: {one}" for number in order if (one := plans[number]())), "")
            return found or next((str(one) for seed in seeds if (one := chance(ground, seed))), "")
        except Unsound as error:
            return str(error)
        finally:
            ground.clear()


def _planned(ground: Ground, mutation: Mutation) -> Iterator[Play]:
    if mutation.late:
        return late(ground)
    if mutation.special:
        return special(ground)
    return itertools.chain(singles(ground), pairs(ground, near=mutation.near) if mutation.near else ())
