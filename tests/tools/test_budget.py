"""What models take is counted, and a budget of the day is kept before they are asked."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from parley.adapters.postgres.requests import Requests
from parley.agents.loop import Usage
from parley.domain.budget import Amount, Budget, Price, limit_of, micros_of, prices_of
from parley.domain.turn import Spent
from parley.errors import Misconfigured


@pytest.fixture
def spent(rows):
    """What the day of each user says."""
    return lambda: [tuple(row.values()) for row in rows("select input_tokens, output_tokens from token_usage")]


def limited(world, tokens=0, micros=0, prices=None, **options):
    handler = world.handler(**options)
    handler._steps._budget = Budget(Amount(tokens, micros), prices or {}, "scripted")
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
    assert rows("select reserved, reserved_micros from requests") == [{"reserved": 0, "reserved_micros": 0}]


@pytest.mark.parametrize(("each", "limit"), [(Amount(100), Amount(350)), (Amount(1, 100), Amount(0, 350))])
def test_turns_at_once_do_not_spend_the_same_twice(world, each, limit):
    """Ten turns of one user, room for three: three reserve, seven are refused."""
    store = world.store
    held = [store.claim(world.accept("hello", thread=str(n)).request_id, owner="me", revision="r") for n in range(10)]

    def reserve(turn):
        try:
            store.reserve(turn, each, limit)
        except Spent:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(reserve, held)) == 3


def test_a_crash_leaks_no_budget(world):
    """What a dead process had reserved counts no longer than its lease."""
    impatient = Requests(world.database, lease=0)
    first = world.accept("hello", thread="one")
    much, limit = Amount(900, 900), Amount(1000, 1000)
    impatient.reserve(impatient.claim(first.request_id, owner="dead", revision="r"), much, limit)
    second = world.store.claim(world.accept("hello", thread="two").request_id, owner="me", revision="r")
    world.store.reserve(second, much, limit)


PRICES = {"scripted": Price(input=500_000, output=1_500_000)}  # 0.5 and 1.5 of a million tokens


def test_money_is_reserved_by_the_price_of_the_model_and_settled_by_what_it_took(world, rows):
    """A user who may spend less than one call may cost is refused; who may spend that is charged what it took."""
    most = Budget(prices=PRICES, model="scripted").expected(None, 10_000, 800).micros
    asked = world.accept("I need a new laptop")

    limited(world, micros=most // 100, prices=PRICES)(asked)
    assert world.standing(asked)["error"]["type"] == "urn:parley:problem:budget-spent"
    assert world.engine.asked == []

    again = world.accept("I need a new laptop", thread="again")
    limited(world, micros=10 * most, prices=PRICES)(again)
    assert world.standing(again)["state"] == "completed"
    assert rows("select reserved_micros from requests where id = %s", again.request_id) == [{"reserved_micros": 0}]


def test_what_was_spent_in_money_counts_against_the_day(world, rows):
    """The tokens may be many; it is the money that is limited, and it is the day's own."""
    rows("insert into token_usage (user_id, day, cost) values (%s, (now() at time zone 'utc')::date, 0.000999)",
         world.users["ann"])  # fmt: skip
    limit = Amount(micros=1000)

    assert world.store.spent(world.users["ann"], limit) is None
    assert world.store.spent(world.users["bob"], limit) is None
    rows("update token_usage set cost = 0.001")
    assert world.store.spent(world.users["ann"], limit) is not None
    assert world.store.spent(world.users["bob"], limit) is None
    assert world.store.spent(world.users["ann"], Amount(tokens=1)) is None


def test_a_server_that_says_nothing_of_its_usage_costs_what_was_expected(world, rows):
    """Otherwise a budget would be none."""
    ask = world.engine.ask
    world.engine.ask = lambda *given: replace(ask(*given), usage=None)

    limited(world, tokens=1_000_000, micros=10**9, prices=PRICES)(world.accept("I need a new laptop"))

    [row] = rows("select input_tokens, output_tokens, cost from token_usage")
    assert row["input_tokens"] > 4 * 2_500
    assert row["cost"] > 0


def test_a_summary_is_reserved_for_too(world):
    """It asks a model as an answer does."""
    world.say("Hello " * 900)
    world.engine.asked.clear()
    agents = world.configured.agents
    small = [one.model_copy(update={"context_tokens": 500}) for one in agents.agents]
    world.configured = replace(world.configured, agents=agents.model_copy(update={"agents": tuple(small)}))
    created = world.accept("I need a new laptop")

    limited(world, tokens=100)(created)

    assert world.standing(created)["error"]["type"] == "urn:parley:problem:budget-spent"
    assert world.engine.asked == []


@pytest.mark.parametrize(
    ("taken", "given", "micros"), [(0, 0, 0), (1, 0, 1), (2, 0, 1), (1_000_000, 0, 500_000), (3, 1, 3), (0, 1, 2)]
)
def test_a_cost_is_whole_micro_units_rounded_up(taken, given, micros):
    """So that nothing that costs is free, and sums are exact."""
    assert PRICES["scripted"].of(taken, given) == micros
    assert Usage("scripted", taken, given, micros).as_dict()["cost"] == micros / 1_000_000


def test_amounts_are_read_exactly():
    """As decimals, never as floats."""
    assert prices_of(("model/a=0.5/1.5", "b=c=0.1/0.3")) == {
        "model/a": Price(500_000, 1_500_000), "b=c": Price(100_000, 300_000)
    }  # fmt: skip
    assert limit_of(5, "2.50") == Amount(5, 2_500_000)
    assert limit_of(5, None) == Amount(5, 0)
    assert micros_of("0.000001") == 1


@pytest.mark.parametrize("wrong", ["", "-1", "nan", "inf", "a lot", "0.0000001", "1,5"])
def test_what_is_no_amount_is_refused(wrong):
    """Neither as a price nor as a limit; a limit of nothing would be none."""
    with pytest.raises(Misconfigured, match="MODEL_PRICES"):
        prices_of((f"a={wrong}/1",))
    with pytest.raises(Misconfigured, match="BUDGET_COST_PER_DAY"):
        limit_of(0, wrong or "0")


def test_a_model_without_a_price_is_refused_where_money_is_limited():
    """At the start, by name; where only tokens are limited, prices are nobody's business."""
    with pytest.raises(Misconfigured, match="MODEL_PRICES: dear has no price"):
        Budget(Amount(micros=1), PRICES, "scripted").check([None, "dear"])
    Budget(Amount(micros=1), PRICES, "scripted").check([None])
    Budget(Amount(tokens=1), {}, "scripted").check([None, "dear"])
