"""A turn of several steps: tools called once, going on elsewhere, cancelled in between."""

import re
import threading

import pytest
from core.turning import AGENTS, Died

from parley.adapters.postgres.requests import Requests
from parley.agents.loop import MOST_CALLS, Answer, Call
from parley.calls import AT_ONCE, UNKNOWN
from parley.domain import ids
from parley.domain.events import RequestCreated
from parley.errors import Unavailable
from parley.ports import ToolFailed
from parley.turns import Turns

TICKET = Answer("", call=Call("ticket", {"title": "Laptop"}))


class Tools:
    """One tool, `ticket`: what it was called with, by key; `told` is what it says, an error, or something to do."""

    def __init__(self, again="repeat"):
        self.kind, self.calls, self.looked, self.told, self.found = again, [], [], "T-1", None
        self.only_read, self.trusted = (), False

    def again(self, _):
        return self.kind

    def run(self, name, arguments, key, who):
        self.calls.append((name, dict(arguments), key))
        said = self.told() if callable(self.told) else self.told
        if isinstance(said, BaseException):
            raise said
        return said

    def trusts(self, _):
        return self.trusted

    def reads(self, name):
        return name in self.only_read

    def look_up(self, _, key):
        self.looked.append(key)
        return self.found


@pytest.fixture
def tools():
    return Tools()


@pytest.fixture
def turns(store, engine, broker, planner, tools):
    def make(**other):
        options = {"owner": "me", "revision": "r1", "tools": tools, **other}
        used = options.pop("store", store)
        return Turns(used, AGENTS, engine, planner, broker, **options)

    return make


def test_a_tool_is_called_and_its_result_is_for_the_model(turns, ask, engine, tools, standing, rows):
    seen = []
    engine.script = [TICKET, Answer("Done.")]
    original = engine.ask
    engine.ask = lambda *asked: seen.append(asked[1].results) or original(*asked)
    created = ask()
    turns()(created)
    assert standing(created)["result"]["text"] == "Done."
    ((name, arguments, key),) = tools.calls
    assert (name, arguments) == ("ticket", {"title": "Laptop"})
    assert [[result.output for result in results] for results in seen] == [[], ["T-1"]]
    kept = rows("select kind, state, effect_key, output from steps order by step")
    assert [(step["kind"], step["state"]) for step in kept] == [("model", "done"), ("tool", "done"), ("model", "done")]
    assert kept[1]["effect_key"] == key
    assert kept[1]["output"] == {"text": "T-1"}


@pytest.mark.parametrize("trusted", [True, False])
def test_what_a_tool_says_taints_the_turn_unless_it_is_our_own(turns, ask, engine, tools, trusted):
    """From then on nothing is changed without a person."""
    seen, tools.trusted = [], trusted
    engine.script = [TICKET, Answer("Done.")]
    original = engine.ask
    engine.ask = lambda *asked: seen.append(asked[1].tainted) or original(*asked)

    turns()(ask())

    assert seen == [False, not trusted]


def test_a_tool_that_says_no_says_it_to_the_model(turns, ask, engine, tools, standing):
    engine.script, tools.told = [TICKET, Answer("It cannot be.")], ToolFailed("no such laptop")
    created = ask()
    turns()(created)
    assert standing(created)["result"]["text"] == "It cannot be."


def test_a_tool_that_does_not_exist_is_an_error_for_the_model(turns, ask, engine, standing):
    engine.script = [TICKET, Answer("I cannot.")]
    created = ask()
    turns(tools=None)(created)
    assert standing(created)["result"]["text"] == "I cannot."


def died():
    raise Died


def test_after_a_crash_a_repeatable_tool_is_called_again_with_its_key(turns, ask, engine, tools, impatient):
    engine.script, tools.told = [TICKET], died
    created = ask()
    with pytest.raises(Died):
        turns(store=impatient)(created)
    tools.told = "T-1"
    turns()(created)
    assert len(tools.calls) == 2
    assert tools.calls[0] == tools.calls[1]
    assert len(engine.asked) == 2, "the first answer is in the journal"


def test_after_a_crash_a_tool_that_can_be_asked_is_asked(turns, ask, engine, tools, impatient):
    tools.kind, engine.script, tools.told = "look_up", [TICKET], died
    created = ask()
    with pytest.raises(Died):
        turns(store=impatient)(created)
    tools.found = "T-1"
    turns()(created)
    assert (len(tools.calls), tools.looked) == (1, [tools.calls[0][2]])


def test_a_tool_that_was_asked_and_has_done_nothing_is_called(turns, ask, engine, tools, impatient):
    tools.kind, engine.script, tools.told = "look_up", [TICKET], died
    created = ask()
    with pytest.raises(Died):
        turns(store=impatient)(created)
    tools.told = "T-1"
    turns()(created)
    assert len(tools.calls) == 2


def test_after_a_crash_any_other_tool_is_never_touched_again(turns, ask, engine, tools, impatient, rows):
    tools.kind, engine.script, tools.told = "never", [TICKET], died
    created = ask()
    with pytest.raises(Died):
        turns(store=impatient)(created)
    turns()(created)
    assert len(tools.calls) == 1
    assert rows("select output from steps where kind = 'tool'")[0]["output"] == {"text": UNKNOWN}


def test_a_tool_that_is_down_gives_the_turn_back(turns, ask, engine, tools, standing):
    engine.script, tools.told = [TICKET], Unavailable("down")
    created = ask()
    with pytest.raises(Unavailable):
        turns()(created)
    assert standing(created)["state"] == "queued"
    tools.told = "T-1"
    turns()(created)
    assert tools.calls[0] == tools.calls[1]


def test_a_model_that_never_stops_calling_tools_is_stopped(turns, ask, engine, tools, standing):
    engine.script = [TICKET] * (MOST_CALLS + 1)
    created = ask()
    turns()(created)
    assert len(tools.calls) == MOST_CALLS
    assert standing(created)["state"] == "completed"


def wanted(*names):
    """A model that wants these tools called at once, each with its place."""
    first, *more = (Call(name, {"place": place}) for place, name in enumerate(names))
    return Answer("", call=first, more=tuple(more))


def test_what_only_reads_is_called_at_the_same_time(turns, ask, engine, tools, standing, rows):
    """Each call waits for the other one; the journal has them in the model's order, and the model gets them so."""
    both, seen = threading.Barrier(2, timeout=20), []
    tools.only_read, tools.told = ("look", "read"), lambda: str(both.wait() and "")
    engine.script = [wanted("look", "read"), lambda: seen.extend(engine.results) or Answer("Done.")]
    original = engine.ask
    engine.ask = lambda *asked: setattr(engine, "results", asked[1].results) or original(*asked)
    created = ask()

    turns()(created)

    assert standing(created)["result"]["text"] == "Done."
    assert [(one.call.name, one.call.arguments) for one in seen] == [("look", {"place": 0}), ("read", {"place": 1})]
    steps = rows("select kind, state, effect_key from steps order by step")
    assert [(one["kind"], one["state"]) for one in steps] == [
        ("model", "done"), ("tool", "done"), ("tool", "done"), ("model", "done")
    ]  # fmt: skip
    keys = {arguments["place"]: key for _, arguments, key in tools.calls}
    assert [one["effect_key"] for one in steps[1:3]] == [keys[0], keys[1]]


def test_changes_come_in_order_and_alone(turns, ask, engine, tools, rows):
    """What reads goes before and after a change, never beside it."""
    tools.only_read, engine.script = ("look",), [wanted("look", "look", "ticket", "ticket", "look")]
    running, beside = set(), []

    def told():
        name, arguments, _ = tools.calls[-1]
        running.add(arguments["place"])
        beside.append((name, len(running)))
        running.discard(arguments["place"])
        return "ok"

    tools.told = told
    turns()(ask())

    assert [arguments["place"] for _, arguments, _ in tools.calls[2:]] == [2, 3, 4]
    assert {arguments["place"] for _, arguments, _ in tools.calls[:2]} == {0, 1}
    assert all(count == 1 for name, count in beside if name == "ticket")
    assert [one["output"] for one in rows("select output from steps where kind = 'tool'")] == [{"text": "ok"}] * 5


def test_no_more_at_once_than_is_allowed(turns, ask, engine, tools, rows):
    """One more than may run: nobody ever meets all the others."""
    all_of_them = threading.Barrier(AT_ONCE + 1, timeout=0.3)
    tools.only_read, engine.script = ("look",), [wanted(*["look"] * (AT_ONCE + 1))]

    def told():
        try:
            return f"met {all_of_them.wait()}"
        except threading.BrokenBarrierError:
            return "alone"

    tools.told = told
    turns()(ask())

    told = [one["output"]["text"] for one in rows("select output from steps where kind = 'tool'")]
    assert told == ["alone"] * (AT_ONCE + 1)


@pytest.mark.parametrize("deadly", [0, 1, 2])
def test_a_crash_amid_calls_at_once_calls_them_again_under_their_keys(
    turns, ask, engine, tools, impatient, deadly, rows
):
    """Whichever the process dies in: the model is not asked anew, each call has one key, and each stands there once."""
    tools.only_read, engine.script = ("look",), [wanted("look", "look", "look")]
    lock = threading.Lock()

    def told():
        with lock:
            number = len(struck)
            struck.append(number)
        if number == deadly:
            raise Died
        return "ok"

    struck, tools.told = [], told
    created = ask()
    with pytest.raises(Died):
        turns(store=impatient)(created)
    tools.told = "ok"
    turns()(created)

    assert len(engine.asked) == 2
    assert len({(arguments["place"], key) for _, arguments, key in tools.calls}) == 3
    steps = rows("select kind, state, output from steps order by step")
    assert [(one["kind"], one["state"]) for one in steps] == [
        ("model", "done"),
        *[("tool", "done")] * 3,
        ("model", "done"),
    ]
    assert [one["output"] for one in steps[1:4]] == [{"text": "ok"}] * 3


def test_one_that_fails_among_calls_at_once_says_so_and_the_others_count(turns, ask, engine, tools, rows):
    """The model reads a result for each of its calls."""
    tools.only_read, engine.script = ("look",), [wanted("look", "look")]
    turn = iter(["fine", ToolFailed("no such laptop")])
    tools.told = lambda: next(turn)

    turns()(ask())

    told = sorted(one["output"]["text"] for one in rows("select output from steps where kind = 'tool'"))
    assert told == ["It failed: no such laptop", "fine"]


def test_calls_at_once_count_each(turns, ask, engine, tools, standing):
    """The most calls of a turn hold within one step of the model, too."""
    tools.only_read, engine.script = ("look",), [wanted(*["look"] * (MOST_CALLS + 3))]
    created = ask()

    turns()(created)

    assert len(tools.calls) == MOST_CALLS
    assert standing(created)["state"] == "completed"


def test_a_long_turn_goes_on_in_another_invocation(turns, ask, engine, tools, standing, database):
    """After each step, when the time of an invocation is up; the attempts are not counted."""
    engine.script = [TICKET, Answer("Done.")]
    created = ask()
    replies = []
    handle = turns(long=-1)
    while standing(created)["state"] != "completed":
        replies.append(handle(created))
        assert len(replies) < 9
    assert [reply.contract for reply in replies[:-1]] == [created] * (len(replies) - 1)
    risen = [tuple(map(int, re.findall(r"\d+", reply.cause)[::-1])) for reply in replies[:-1]]
    assert risen == sorted(set(risen)), "each reply is of a later epoch, or of a later step in it"
    assert len({reply.cause for reply in replies}) == len(replies)
    assert (len(tools.calls), len(engine.asked)) == (1, 2)
    assert standing(created)["attempt"] == 0


def test_a_process_that_is_told_to_leave_gives_its_turn_on(turns, ask, engine, standing):
    engine.script = [TICKET, Answer("Done.")]
    created = ask()
    reply = turns(leaving=lambda: True)(created)
    assert reply.contract == created
    assert standing(created)["state"] == "queued"
    turns()(created)
    assert standing(created)["result"]["text"] == "Done."


def test_a_cancel_is_seen_before_a_tool_is_called(turns, ask, engine, tools, store, user, standing):
    created = ask()

    def cancelled():
        assert store.cancel(created.request_id, user, {"title": "x"}) is None
        return TICKET

    engine.script = [cancelled]
    turns()(created)
    assert standing(created)["state"] == "cancelled"
    assert tools.calls == []


def test_what_waits_is_cancelled_at_once_and_the_next_is_nudged(ask, store, user, standing):
    first, second = ask(), ask()
    following = store.cancel(first.request_id, user, {"title": "Cancelled."})
    assert following.contract == second
    row = standing(first)
    assert (row["state"], row["error"], row["due_at"]) == ("cancelled", {"title": "Cancelled."}, None)
    assert store.cancel(first.request_id, user, {"title": "again"}) is None
    assert standing(first)["error"] == {"title": "Cancelled."}


def test_nobody_cancels_for_another(ask, store, standing):
    created = ask()
    assert store.cancel(created.request_id, ids.new(), {"title": "x"}) is None
    assert standing(created)["state"] == "queued"
    assert RequestCreated(request_id=created.request_id, session_id=created.session_id) == created


def test_a_heartbeat_keeps_a_slow_turn(turns, ask, engine, database, standing, rows):
    """The model takes longer than the lease; the lease is renewed meanwhile."""
    created = ask()
    short = Requests(database, lease=0.4)

    def slow():
        until = rows("select lease_until from requests")[0]["lease_until"]
        for _ in range(2000):
            if rows("select lease_until > %s + interval '0.5 s' as renewed from requests", until)[0]["renewed"]:
                return Answer("At last.")
        raise AssertionError("never renewed")

    engine.script = [slow]
    turns(store=short, beat=0.1)(created)
    assert standing(created)["result"]["text"] == "At last."
