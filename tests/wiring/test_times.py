"""How long everything may take fits together: functions, leases, Triggers and Serving; and no reply goes in circles."""

import dataclasses
import inspect
import re

import psycopg
import pytest
import yaml
from wiring.conftest import CHANNELS, FUNCTIONS, ROOT

from parley.adapters.llama_stack import Server as ModelServer
from parley.adapters.postgres import database as door
from parley.adapters.postgres.deliveries import Deliveries
from parley.api.preferences import LONGEST_WAIT
from parley.channels.outcome import Failed, Sent
from parley.delivery import Courier
from parley.recovery import SWEEP_SECONDS
from parley.streams import Streams
from parley.turns import Turns

SLACK = 3.0  # seconds until Slack takes it for lost


def served(name):
    """Give how long Serving lets a request of this function be, and until its first byte."""
    said = yaml.safe_load((ROOT / "config" / "cluster" / "serving" / f"{name}.yaml").read_text(encoding="utf-8"))
    values = {one["path"].rsplit("/", 1)[-1]: one["value"] for one in said}
    assert values["responseStartTimeoutSeconds"] == values["timeoutSeconds"]
    return values["timeoutSeconds"]


def default(function, name):
    """Give what a parameter is when nobody says otherwise."""
    return inspect.signature(function).parameters[name].default


def setting(loaded, name, field):
    """Give what a setting of a function is when nobody says otherwise."""
    return next(one.default for one in dataclasses.fields(loaded(name).Config) if one.name == field)


@pytest.fixture
def tries(wiring):
    """How long one try of each function's Trigger may take."""
    return {trigger.subscriber: trigger.delivery.timeout for trigger in wiring.triggers}


def test_a_try_of_the_broker_ends_before_serving_cuts_it(tries):
    """Else the function is cut while it works, and the broker learns nothing of it."""
    for name, seconds in tries.items():
        assert seconds < served(name), name


def test_a_turn_ends_within_a_try(tries):
    """It may begin a step at the end of its time: a call of the model that takes as long as one may."""
    longest = default(Turns.__init__, "long") + next(
        field.default for field in dataclasses.fields(ModelServer) if field.name == "seconds"
    )
    assert longest < tries["agent-turn"]


def test_a_lease_is_renewed_well_before_it_ends(loaded):
    """Three times in a lease: one renewal may fail, and another be late."""
    lease = setting(loaded, "agent-turn", "turn_lease_seconds")
    assert lease >= 3 * statement_seconds()


def test_a_delivery_may_be_taken_over_when_the_broker_tries_again(loaded, tries):
    """Whoever was cut by the end of a try holds a lease that is over by then."""
    for channel in CHANNELS:
        name = f"deliver-{channel}"
        if name != "deliver-slack":  # whose tries are as long as turns that it shows
            assert setting(loaded, name, "delivery_lease_seconds") <= tries[name]


def test_a_turn_is_followed_within_a_try(tries):
    assert default(Streams.__init__, "longest") + default(Streams.__init__, "patience") + 30 < tries["deliver-slack"]


def test_a_sweep_ends_within_a_try_and_before_the_next_tick(tries):
    assert tries["recover"] > SWEEP_SECONDS
    assert SWEEP_SECONDS < 60


def test_a_statement_gives_up_within_a_try(tries):
    """So that an answer, 503, is there before nobody waits for it."""
    assert statement_seconds() < min(tries.values())


def test_the_doors_answer_before_they_are_cut(loaded):
    fields = inspect.getmodule(loaded("request-api").Config.__mro__[1])
    stream = next(f.default for f in dataclasses.fields(fields.Settings) if f.name == "stream_seconds")
    assert max(LONGEST_WAIT, stream) + statement_seconds() < served("request-api")
    assert setting(loaded, "slack-ingest", "publish_timeout") < SLACK < served("slack-ingest")


def test_a_tool_answers_before_it_is_cut(loaded):
    """agent-turn stops waiting first, and says so."""
    for path in (ROOT / "config" / "tools").glob("*.yaml"):
        assert yaml.safe_load(path.read_text(encoding="utf-8"))["seconds"] < served("mcp-service-desk")


def test_every_trigger_has_a_sink_for_what_fails():
    """The files themselves: a Trigger's `delivery` replaces the Broker's as a whole."""
    for name in {path.stem for path in (ROOT / "triggers").glob("*.yaml")} - {"sources", "broker"}:
        for one in yaml.safe_load_all((ROOT / "triggers" / f"{name}.yaml").read_text(encoding="utf-8")):
            assert one["spec"]["delivery"]["deadLetterSink"]["ref"]["name"] == "recover", name


def test_only_turns_and_deliveries_may_meet_their_own_replies(wiring):
    """The Kafka broker counts no hops. What these two reply rises: the tests below, and that of long turns."""
    replies = {"normalize": "parley.request.created", "agent-turn": "parley.request.created"}
    own = {name for name in FUNCTIONS if name.startswith("deliver-")}
    for trigger in wiring.triggers:
        taken = {value for rule in trigger.filters for value in re.findall(r"parley\.[a-z.]+", repr(rule))}
        if replies.get(trigger.subscriber, "parley.response.ready") in taken:
            own.add(trigger.subscriber)
    assert own - {"recover"} == {"agent-turn", *(name for name in FUNCTIONS if name.startswith("deliver-"))}


class Broken:
    """A channel that never works."""

    def send(self, *_):
        return Sent(Failed("no such place"))

    def find(self, *_):
        return None


def test_a_reply_to_a_delivery_is_of_a_later_rank_and_they_come_to_an_end(database, database_url, rank, answered):
    """All of one channel, so that each reply comes back to the function that gave it."""
    (due,) = answered(*(rank("test", number, place=str(number)) for number in range(1, 5)))
    courier = Courier("test", Deliveries(database, owner="me", lease=60), Broken(), can_ask=False)
    seen, reply = [], due.emit("first", None)

    while reply is not None:
        seen.append(reply.contract.delivery_id)
        reply = courier(reply.contract)

    with psycopg.connect(database_url) as connection:
        ranks = dict(connection.execute("select id, rank from deliveries").fetchall())
    assert [ranks[one] for one in seen] == [1, 2, 3, 4]


def statement_seconds():
    """How long PostgreSQL works on one statement at most."""
    return int(re.search(r"statement_timeout=(\d+)", door._OPTIONS)[1]) / 1000
