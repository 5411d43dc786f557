"""What models take is counted, and a budget of the day is kept before they are asked."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from parley.adapters.postgres.requests import Requests
from parley.domain.turn import Spent


@pytest.fixture
def spent(rows):
    """What the day of each user says."""
    return lambda: [tuple(row.values()) for row in rows("select input_tokens, output_tokens from token_usage")]


def limited(world, budget, **options):
    handler = world.handler(**options)
    handler._steps._budget = budget
    return handler


def test_each_step_each_question_and_each_day_is_counted(world, rows, spent):
    row = world.say("I need a new laptop")
    steps = rows("select kind, usage from steps order by step")
    asked = [one["usage"] for one in steps if one["kind"] == "model"]
    assert len(asked) == 4
    assert row["usage"]["input_tokens"] == sum(one["input_tokens"] for one in asked) == 400
    assert spent() == [(400, row["usage"]["output_tokens"])]
    session = rows("select input_tokens, output_tokens from sessions")[0]
    assert session == {"input_tokens": 400, "output_tokens": row["usage"]["output_tokens"]}


def test_a_user_without_tokens_is_told_when_there_are_new_ones(world, rows):
    """Refused before the model is asked; the request fails with the time of the next day."""
    created = world.accept("I need a new laptop")
    limited(world, 1_000)(created)
    row = world.standing(created)
    assert (row["state"], row["error"]["type"]) == ("failed", "urn:parley:problem:budget-spent")
    assert row["error"]["resets_at"].endswith("00:00:00+00:00")
    assert world.engine.asked == []


def test_what_is_reserved_is_settled_by_the_step(world, rows):
    limited(world, 1_000_000)(world.accept("I need a new laptop"))
    assert rows("select reserved from requests") == [{"reserved": 0}]


def test_turns_at_once_do_not_spend_the_same_tokens_twice(world):
    """Ten turns of one user, room for three: three reserve, seven are refused."""
    store = world.store
    held = [store.claim(world.accept("hello", thread=str(n)).request_id, owner="me", revision="r") for n in range(10)]

    def reserve(turn):
        try:
            store.reserve(turn, 100, 350)
        except Spent:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(reserve, held)) == 3


def test_a_crash_leaks_no_budget(world):
    """What a dead process had reserved counts no longer than its lease."""
    impatient = Requests(world.database, lease=0)
    first = world.accept("hello", thread="one")
    impatient.reserve(impatient.claim(first.request_id, owner="dead", revision="r"), 900, 1000)
    second = world.store.claim(world.accept("hello", thread="two").request_id, owner="me", revision="r")
    world.store.reserve(second, 900, 1000)
