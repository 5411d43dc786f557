"""kill -9 of everything, the broker and PostgreSQL too, between Slack's 200 and the delivery: answered, once."""

import os
import random

import pytest
from flow.conftest import World, installation

from devkit.slack import ALICE, BOT_USER, GENERAL, SlackStandIn, deliver

ROUNDS = int(os.environ.get("KILL_ROUNDS", "3"))
LATEST = 0.15  # seconds after Slack's 200: by then the answer is delivered, as a rule


@pytest.mark.timeout(60 + 20 * ROUNDS)
@pytest.mark.parametrize("processes", [False, True], ids=["one process", "process per function"])
def test_answer_survives_the_death_of_everything(tmp_path, processes):
    """Whatever is killed when: after the next start the answer arrives, exactly once."""
    seed = int(os.environ.get("KILL_SEED", random.randrange(10**6)))
    chance = random.Random(seed)
    print(f"KILL_SEED={seed}")
    with SlackStandIn() as slack:
        parley = installation(tmp_path / "home", slack, processes=processes)
        with parley:
            world = World(parley, slack)
            asked = []
            for _ in range(ROUNDS):
                ts = slack.say(GENERAL, ALICE, f"<@{BOT_USER}> How do I reset my password?")
                asked.append(ts)
                [payload, *_] = slack.events_for(ts)
                assert deliver(parley.slack_url, payload, slack.signing_secret).status == 200

                _after(chance.uniform(0, LATEST))
                parley.kill(postgres=chance.random() < 0.5)
                parley.start()
                world.until(lambda ts=ts: world.answers(ts))
            world.until(world.settled, 60)

            assert {ts: len(world.answers(ts)) for ts in asked} == dict.fromkeys(asked, 1)


def _after(seconds: float) -> None:
    """Let a random time pass: there is nothing to wait for, the moment is the point."""
    import threading

    threading.Event().wait(seconds)
