"""Dead letters by the command: listed, shown, and published again to a broker that listens, on a real PostgreSQL."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from devkit.serving import LocalServer, Reply
from parley import dead_letters, envelope
from parley.adapters.broker import Publisher
from parley.adapters.postgres.ledger import Ledger
from parley.adapters.postgres.letters import Letters
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.domain import ids
from parley.domain.overdue import Pace
from parley.domain.requests import NewRequest, SessionWanted
from parley.recovery import Recovery
from standalone.rules import dead_letter

TICK = envelope.Event("1", "/ping", "dev.knative.sources.ping", body=b"{}")
AT = "http://normalize.parley.svc.cluster.local/"
BODIES = [
    b"",
    b'{"text": "hello"}',
    b'{ "b":1,\n"a" : 1.10, "c": 1e16, "b": 2}',
    b'{"text":"a\\u0000b \\ud83d"}',
    b'{"text":"\\u00e4"}',
    b"not JSON",
    b"\xff\x00\xfe",
]


@pytest.fixture
def broker():
    """What K_SINK names: `statuses` by event id are what it answers else than 202, `events` what it took."""

    def answer(request):
        event = envelope.parse(request.headers, request.body)
        server.before(event)
        status = server.statuses.get(event.id, server.status)
        if status == 202:
            server.events.append(event)
        return Reply(status)

    server = LocalServer(answer)
    server.events, server.statuses, server.status, server.before = [], {}, 202, lambda _: None
    with server:
        yield server


@pytest.fixture
def env(database_url, broker):
    return {"DATABASE_URL": database_url, "K_SINK": broker.url}


@pytest.fixture
def command(env):
    """Run the command line; gives its status."""
    return lambda *arguments: dead_letters.main([str(argument) for argument in arguments], env)


@pytest.fixture
def recovery(database):
    return Recovery(Ledger(database), None, pace=Pace())  # there is nothing to publish with


@pytest.fixture
def died(recovery, rows):
    """Let an event die; gives it as it was sent, and the id of its letter."""

    def make(event_id="e1", *, code=500, at=AT, headers=None, **fields):
        values = {"type": "parley.message.received", "subject": "T1:1.1", "body": b'{"text":"hello"}', **fields}
        event = envelope.Event(event_id, "/parley/slack-ingest", **values)
        recovery(dead_letter(event, at, code, b"it broke", headers or {"kne-reason": "internal error"}))
        (row,) = rows("select id from dead_letters where event_id = %s", event_id)
        return event, row["id"]

    return make


@pytest.fixture
def request_row(database):
    """Store a question; gives its id."""
    user = Users(database).meet("api", "test", email=None, name="Ann", timezone=None)

    def make():
        new = NewRequest(
            id=ids.new(), user_id=user, session=SessionWanted(), source="cli", content="Why?", principal="test",
            route="test",
        )  # fmt: skip
        return Requests(database).accept(new).request_id

    return make


# --- replay ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
def test_an_event_is_published_as_it_was_sent(command, died, broker, rows, body, content_type):
    """Id, source, type, time, extensions, and the data to the byte; nothing of its death."""
    event, letter = died(
        body=body, datacontenttype=content_type, time="2026-11-23T09:00:00Z", dataschema="urn:x",
        extensions={"partitionkey": "T1:C1", "signature": "ab" * 32, "traceparent": "00-ä"},
    )  # fmt: skip

    assert command("replay", letter) == 0

    assert broker.events == [event]
    (row,) = rows("select replayed_at, closed_at from dead_letters")
    assert row["replayed_at"]
    assert row["closed_at"] is None


def test_a_letter_from_before_bytes_were_kept_is_published_too(command, died, broker, rows):
    """Its data means the same."""
    event, letter = died(body=b'{"text":"hello","n":1}')
    rows("update dead_letters set body = null")

    assert command("replay", letter) == 0

    assert broker.events[0].data == event.data
    assert (broker.events[0].id, broker.events[0].extensions) == (event.id, {})


@pytest.mark.parametrize("status", [400, 413, 429, 500, 503])
def test_a_letter_that_the_broker_does_not_take_stays_open(command, died, broker, rows, status, capsys):
    """It can be replayed when that has changed."""
    event, letter = died()
    broker.status = status

    assert command("replay", letter) == 1

    assert rows("select replayed_at from dead_letters") == [{"replayed_at": None}]
    assert "left as it was" in capsys.readouterr().err
    broker.status = 202
    assert command("replay", letter) == 0
    assert broker.events == [event]


def test_one_that_is_refused_does_not_stop_the_others(command, died, broker, rows):
    """What the broker calls no event is this event's own trouble."""
    letters = [died(f"e{number}")[1] for number in range(3)]
    broker.statuses["e1"] = 413

    assert command("replay", *letters) == 1

    assert [event.id for event in broker.events] == ["e0", "e2"]
    assert rows("select event_id from dead_letters where replayed_at is null") == [{"event_id": "e1"}]


def test_a_broker_that_is_down_ends_the_replay(command, died, broker, rows, capsys):
    """Nobody waits for hundreds of time-outs; what was not tried is said."""
    letters = [died(f"e{number}")[1] for number in range(3)]
    broker.statuses["e1"] = 503

    assert command("replay", *letters) == 1

    assert [event.id for event in broker.events] == ["e0"]
    assert "1 not tried" in capsys.readouterr().err
    assert rows("select count(*) from dead_letters where replayed_at is null") == [{"count": 2}]


def test_a_broker_that_does_not_listen_leaves_everything_open(died, env, rows, capsys):
    """One line, no stack."""
    _, letter = died()

    assert dead_letters.main(["replay", str(letter)], {**env, "K_SINK": "http://127.0.0.1:9/"}) == 1
    assert "the broker cannot be reached" in capsys.readouterr().err
    assert rows("select replayed_at from dead_letters") == [{"replayed_at": None}]


def test_a_letter_is_replayed_once(command, died, broker, capsys):
    """Also when it is named twice, or again later."""
    _, letter = died()

    assert command("replay", letter, letter) == 0
    assert command("replay", letter) == 1
    assert len(broker.events) == 1
    assert "left alone" in capsys.readouterr().err


def test_two_replays_at_once_publish_each_letter_once(died, broker, database, rows):
    """Whoever has the row publishes it; the other one goes on with the next."""
    letters, barrier = [died(f"e{number}")[1] for number in range(20)], threading.Barrier(4)
    publisher = Publisher(broker.url, "test")

    def replay(_):
        barrier.wait()
        return dead_letters.replay(Letters(database), publisher, letters)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(replay, range(4)))

    assert sorted(event.id for event in broker.events) == sorted(f"e{number}" for number in range(20))
    assert rows("select count(*) from dead_letters where replayed_at is null") == [{"count": 0}]


def test_a_letter_that_is_being_replayed_is_left_alone_by_all_others(command, died, broker, recovery, rows):
    """Another replay, the sweep and the purge pass by while the broker has not answered yet."""
    _, letter = died()
    others = []

    def meanwhile(_):
        broker.before = lambda _: None
        others.append(command("replay", letter))
        recovery.sweep()

    broker.before = meanwhile

    assert command("replay", letter) == 0
    assert others == [1]
    assert len(broker.events) == 1


def test_a_replay_that_dies_leaves_the_letter_open(died, database, rows):
    """Before the broker's answer nothing is marked."""
    _, letter = died()

    def publish(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Letters(database).replay(letter, publish)
    assert rows("select replayed_at from dead_letters") == [{"replayed_at": None}]


def test_those_of_a_time_and_type_are_replayed_oldest_first(command, died, broker, rows):
    """From --since on and before --until; what is replayed or closed already is left out."""
    for number in range(6):
        died(f"e{number}", type="parley.x" if number == 2 else "parley.y")
        rows("update dead_letters set stored_at = %s where event_id = %s", f"2026-11-2{number}T00:00Z", f"e{number}")
    rows("update dead_letters set closed_at = now() where event_id = 'e3'")

    assert command("replay", "--since", "2026-11-21", "--until", "2026-11-25", "--type", "parley.y") == 0

    assert [event.id for event in broker.events] == ["e1", "e4"]


def test_nothing_to_replay_is_no_failure(command, broker):
    """A quiet week."""
    assert command("replay", "--since", "2026-11-21", "--until", "2026-11-25T12:00:00+01:00") == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["replay"], ["replay", "x"], ["replay", "--since", "2026-11-21"], ["replay", "--type", "x"],
        ["replay", "--since", "yesterday", "--until", "2026-11-21"], ["show"], ["nonsense"],
        ["replay", str(ids.new()), "--since", "2026-11-21", "--until", "2026-11-22"],
    ],
)  # fmt: skip
def test_what_is_not_said_clearly_is_not_done(command, arguments, capsys):
    """Above all, nothing is replayed without saying which."""
    with pytest.raises(SystemExit) as exit_:
        command(*arguments)
    assert exit_.value.code == 2


def test_a_replayed_letter_that_fails_again_is_open_again(command, died, recovery, broker, rows):
    """One row, with the new reason."""
    event, letter = died()
    command("replay", letter)

    recovery(dead_letter(event, AT, 422, b"", {"kne-reason": "no such request"}))

    (row,) = rows("select id, replayed_at, code, reason from dead_letters")
    assert row == {"id": letter, "replayed_at": None, "code": 422, "reason": "no such request"}
    assert command("replay", letter) == 0
    assert broker.events == [event, event]


# --- letters about rows that have ended ------------------------------------------------------------------------------


def created(request_id):
    return {"type": "parley.request.created", "body": envelope.dumps({"request_id": str(request_id)})}


def ready(delivery_id):
    return {"type": "parley.response.ready", "body": envelope.dumps({"delivery_id": str(delivery_id)})}


@pytest.mark.parametrize("state", ["completed", "failed", "cancelled"])
def test_a_letter_about_a_request_that_has_ended_closes_itself(died, request_row, rows, state, recovery):
    """When it is stored, or at the first sweep after the end."""
    before, after = request_row(), request_row()
    died("e1", **created(after))
    rows(f"update requests set state = '{state}', due_at = null, result = case when '{state}' = 'completed'"
         " then '{}'::jsonb end, finished_at = now()")  # fmt: skip
    died("e2", **created(before))

    at_once = rows("select event_id, closed_at, closed_reason from dead_letters where closed_at is not null")
    recovery.sweep()

    assert [(row["event_id"], row["closed_reason"]) for row in at_once] == [("e2", f"the request is {state}")]
    closed = rows("select distinct closed_reason from dead_letters where closed_at is not null")
    assert closed == [{"closed_reason": f"the request is {state}"}]


def test_a_letter_about_a_delivery_that_has_ended_closes_itself(died, answered, rank, rows, recovery):
    """One that is still planned has not ended."""
    answered(rank("email", 1, to="a@example.org"), rank("sms", 2, to="+4912345678"))
    rows("update deliveries set due_at = due_at + interval '1 hour' where due_at is not null")
    first, second = (row["id"] for row in rows("select id from deliveries order by rank"))
    died("e1", **ready(first))
    died("e2", **ready(second))

    recovery.sweep()
    open_ = rows("select count(*) from dead_letters where closed_at is null")
    rows("update deliveries set state = 'delivered', due_at = null where rank = 1")
    recovery.sweep()

    assert open_ == [{"count": 2}]
    assert rows("select event_id, closed_reason from dead_letters where closed_at is not null") == [
        {"event_id": "e1", "closed_reason": "the delivery is delivered"}
    ]


@pytest.mark.parametrize(
    "fields",
    [
        created(ids.new()), ready(ids.new()), {"type": "parley.request.created", "body": b"not JSON"},
        {"type": "parley.request.created", "body": b'{"request_id": "7"}'},
        {"type": "parley.request.created", "body": b"[]"}, {"type": "parley.request.created", "body": b""},
        {"type": "parley.message.received"}, {"type": "of.somebody.else"},
    ],
)  # fmt: skip
def test_a_letter_about_no_row_waits_for_a_person(died, recovery, rows, fields):
    """Nobody else can tell what is to become of it."""
    died(**fields)

    recovery.sweep()

    assert rows("select closed_at, replayed_at from dead_letters") == [{"closed_at": None, "replayed_at": None}]


def test_a_letter_about_an_open_row_is_replayed_like_any_other(command, died, request_row, broker, recovery, rows):
    """And stays replayed when its row ends."""
    request = request_row()
    event, letter = died(**created(request))

    assert command("replay", letter) == 0
    rows("update requests set state = 'failed', due_at = null, finished_at = now()")
    recovery.sweep()

    assert broker.events == [event]
    assert rows("select closed_at from dead_letters") == [{"closed_at": None}]


def test_a_closed_letter_is_not_replayed(command, died, request_row, broker, rows):
    """There is nothing left to do."""
    request = request_row()
    rows("update requests set state = 'failed', due_at = null, finished_at = now()")
    _, letter = died(**created(request))

    assert command("replay", letter) == 1
    assert broker.events == []


# --- list and show ---------------------------------------------------------------------------------------------------


def test_the_list_has_the_newest_that_are_open(command, died, rows, capsys):
    """Plain columns, one line each: what, where, why."""
    _, first = died("e1")
    _, second = died("e2", code=422, at="http://127.0.0.1:8081/x", headers={"kne-reason": "no such request"})
    died("e3")
    rows("update dead_letters set replayed_at = now() where event_id = 'e3'")

    assert command("list") == 0

    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == list(dead_letters.COLUMNS)
    assert [line.split()[0] for line in lines] == [str(second), str(first)]
    assert lines[0].split()[3:] == ["parley.message.received", "T1:1.1", "127.0.0.1:8081", "422", "open", "no", "such",
                                    "request"]  # fmt: skip
    assert lines[1].split()[5] == "normalize"


def test_the_list_can_be_narrowed_and_widened(command, died, rows, capsys):
    """By type, time and number; with those that are done."""
    for number in range(4):
        died(f"e{number}", type=f"parley.t{number % 2}")
        rows("update dead_letters set stored_at = %s where event_id = %s", f"2026-11-2{number}T00:00Z", f"e{number}")
    rows("update dead_letters set closed_at = now(), closed_reason = 'the request is failed' where event_id = 'e0'")

    def listed(*arguments):
        command("list", *arguments)
        return [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]]

    assert listed() == ["2026-11-23", "2026-11-22", "2026-11-21"]
    assert listed("--all") == ["2026-11-23", "2026-11-22", "2026-11-21", "2026-11-20"]
    assert listed("--type", "parley.t1") == ["2026-11-23", "2026-11-21"]
    assert listed("--since", "2026-11-21", "--until", "2026-11-23") == ["2026-11-22", "2026-11-21"]
    assert listed("--limit", "1") == ["2026-11-23"]


class Terminal:
    """A person's screen, as far as `print` and rich ask."""

    encoding = "utf-8"

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return True


@pytest.mark.parametrize("has_rich", [True, False])
def test_a_terminal_gets_a_table_when_rich_is_there(command, died, monkeypatch, has_rich):
    """A function's image has none: the same in plain columns. What would steer the terminal is not sent to it."""
    _, letter = died(subject="\x1b]0;title\x07[red]x", headers={"kne-reason": "why"})
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("TERM", "xterm")
    if not has_rich:
        monkeypatch.setitem(__import__("sys").modules, "rich.console", None)

    assert command("list") == 0

    assert str(letter) in screen.text
    assert "[red]x" in screen.text
    assert "\x1b]0;" not in screen.text
    assert ("\x1b[1m" in screen.text) == has_rich


def test_one_is_shown_with_its_event(command, died, capsys):
    """All that is known, then the event as a replay would publish it."""
    _, letter = died(body=b'{"text":"hell\xc3\xb6"}', extensions={"partitionkey": "T1:C1"})

    assert command("show", letter) == 0

    out = capsys.readouterr().out
    assert f"destination:    {AT}" in out
    assert "state:          open" in out
    assert "reason:         internal error" in out
    assert "ce-partitionkey: T1:C1" in out
    assert "knativeerror" not in out
    assert out.endswith('\n{"text":"hellö"}\n')


def test_one_that_does_not_exist_is_said_so(command, capsys):
    """Status 1, and nothing else."""
    assert command("show", ids.new()) == 1
    assert "there is no letter" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "missing"), [(["list"], "DATABASE_URL"), (["replay", str(ids.new())], "K_SINK")])
def test_what_it_needs_and_lacks_is_named(env, arguments, missing, capsys):
    """One line; only a replay needs the broker."""
    assert dead_letters.main(arguments, {**env, missing: ""}) == 2
    assert capsys.readouterr().err == f"{missing}: required, not set\n"


def test_a_list_needs_no_broker(env):
    """It only reads."""
    assert dead_letters.main(["list"], {"DATABASE_URL": env["DATABASE_URL"]}) == 0


def test_a_database_without_its_migrations_is_one_line(command, rows, capsys):
    """Status 2, with the remedy."""
    newest = rows("select max(version) as version from schema_migrations")[0]["version"]
    rows("update schema_migrations set version = version - 1000")

    status = command("list")

    rows("update schema_migrations set version = version + 1000")
    assert status == 2
    assert (
        capsys.readouterr().err == f"dead_letters: the schema is at {newest - 1000}, 2 is needed: run the migrations\n"
    )
