"""Many worlds: every single fault, every pair, and worlds by chance."""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

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


def singles(ground: Ground) -> Iterator[Written]:
    """Give each fault at each point, in both orders of things."""
    for eager in (False, True):
        for number, point in enumerate(points(ground, eager=eager)):
            for fault in range(len(faults(point))):
                yield Written((number, fault), eager=eager)


def special(ground: Ground, part: int = 0, of: int = 1) -> Iterator[Finding | None]:
    """
    Play each fault at each point of worlds with decisions, and with messages that are answered together.

    Of all these worlds, every `of`th.
    """
    for questions, together in ((CHANGED, False), (QUICK, True), (BOUGHT, False), (GROUPED, False)):
        found = points(ground, questions, eager=together, together=together)
        plans = [(number, fault) for number, point in enumerate(found) for fault in range(len(faults(point)))]
        for plan in plans[part::of]:
            yield play(ground, Written(plan, eager=together), "special", questions, together=together)
    for plan in itertools.islice(late(ground), part, None, of):
        yield play(ground, plan, "late", ASKED)


def pairs(ground: Ground, questions: Sequence[Question] = SCENARIO, near: Sequence[str] = ()) -> Iterator[Written]:
    """Give each two faults at two points; of those whose names begin like this, when names are given."""
    found = [*points(ground, questions), *["later before"] * LATER]
    wanted = [number for number, point in enumerate(found) if not near or point.startswith(tuple(near))]
    for first, second in itertools.combinations(wanted, 2):
        for fault, other in itertools.product(range(len(faults(found[first]))), range(len(faults(found[second])))):
            yield Written((first, fault), (second, other))


def late(ground: Ground) -> Iterator[Written]:
    """Give the worlds in which the second message comes late, while whatever is done first pauses somewhere."""
    found = points(ground, ASKED)
    fails = [number for number, point in enumerate(found) if point == "requests.accept before"][-1]
    for number in range(fails + 1, len(found)):
        for fault, name in enumerate(faults(found[number])):
            if name == "pause":
                yield Written((fails, STORE_BEFORE.index("fail")), (number, fault))


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
            if mutation.late:
                found = next((one for plan in late(ground) if (one := play(ground, plan, "late", ASKED))), None)
            elif mutation.special:
                found = next((one for part in range(FEW) for one in special(ground, part, FEW) if one), None)
            else:
                plans = [*singles(ground), *(pairs(ground, near=mutation.near) if mutation.near else ())]
                found = next((one for plan in plans if (one := play(ground, plan, "written"))), None)
            found = found or next((one for seed in seeds if (one := chance(ground, seed))), None)
        except Unsound as error:
            return str(error)
        finally:
            ground.clear()
    return str(found or "")
