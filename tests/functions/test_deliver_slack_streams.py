"""An answer shown as it is written: deliver-slack from its folder, a real PostgreSQL, the stand-in for Slack."""

import threading
from datetime import UTC, datetime
from uuid import UUID

import pytest

from devkit.slack import ALICE, GENERAL, Fault, SlackStandIn
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.slack_messages import SlackMessages, StreamRows
from parley.adapters.postgres.users import Users
from parley.adapters.slack_api import SlackApi
from parley.adapters.slack_screen import SlackScreen
from parley.domain import ids
from parley.domain.events import TurnStarted
from parley.domain.plan import Plan
from parley.domain.requests import NewRequest, SessionWanted
from parley.streams import Streams


@pytest.fixture
def workspace():
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def asked(database, workspace):
    """A turn that runs, of a question asked in the stand-in."""
    ts = workspace.say(GENERAL, ALICE, "How?")
    user = Users(database).meet("slack", f"T1:{ALICE}", email="alice@example.com", name="Alice", timezone=None)
    requests = Requests(database)
    new = NewRequest(
        id=ids.new(), user_id=user, session=SessionWanted(thread=f"slack:T1:{GENERAL}:{ts}"), source="slack",
        content="How?", principal="test", route="test",
        origin={"channel": "slack", "workspace": "T1", "conversation": GENERAL, "thread": ts},
    )  # fmt: skip
    requests.accept(new)
    return requests, requests.claim(new.id, owner="test", revision="1")


@pytest.fixture
def streams(database, workspace):
    """Follow turns without waiting; `steps` are done one by one where a pause would be."""

    def make(steps=(), **options):
        todo = list(steps)

        def pause(seconds):
            if todo:
                todo.pop(0)()

        screen = SlackScreen(lambda *_: SlackApi(workspace.token, workspace.api_url))
        times = iter(range(1, 10**6))
        return Streams(
            StreamRows(database),
            screen,
            patience=0,
            sleep=pause,
            clock=lambda: 2.0 * next(times),
            **options,
        )

    return make


@pytest.fixture
def deliver_answer(deliver, workspace, rank):
    """End the turn with an answer and deliver it."""
    slack = deliver("slack", SLACK_BOT_TOKEN=workspace.token, SLACK_API_URL=workspace.api_url, SLACK_PACE_SECONDS="0.1")

    def finish(asked, text, state=None):
        requests, held = asked
        where = {"workspace": "T1", "conversation": GENERAL, "thread": held.origin["thread"]}
        plan = Plan("origin", (rank("slack", 1, **where),), (), datetime.now(UTC))
        if state:
            due = requests.end(held, state, {"type": "about:blank", "title": text}, plan)[0]
        else:
            due = requests.complete(held, {"text": text, "citations": [], "agent": "desk"}, plan)[0]
        return slack(due[0])

    return finish


NOW = datetime.now(UTC)


def started(held):
    return TurnStarted(request_id=held.request_id, session_id=held.session_id, channel="slack")


def tell(asked, *events):
    return lambda: asked[0].tell(asked[1], *events)


def text(delta, step=0):
    return ("text", {"step": step, "delta": delta})


@pytest.fixture
def first(database, workspace):
    """A question in direct messages, in a thread or as its first message; gives the event that its turn runs."""

    def make(text, thread=None, files=()):
        ts = workspace.say(ALICE, ALICE, text or "x", thread_ts=thread)
        place = workspace.workspace.open((ALICE,))[0]
        user = Users(database).meet("slack", f"T1:{ALICE}", email="alice@example.com", name="Alice", timezone=None)
        root = thread or ts
        new = NewRequest(
            id=ids.new(), user_id=user, session=SessionWanted(thread=f"slack:T1:{place}:{root}"), source="slack",
            content=text, principal="test", route="test", files=files,
            origin={"channel": "slack", "workspace": "T1", "conversation": place, "thread": root},
        )  # fmt: skip
        accepted = Requests(database).accept(new)
        return root, TurnStarted(request_id=new.id, session_id=accepted.session_id, channel="slack")

    return make


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("My laptop is slow.\nWhat can I do?", "My laptop is slow. What can I do?"),
        (
            "<@U0BOB0001> see <https://a.example/x|the page> and <https://b.example/y> @here",
            "see the page and @\u200bhere",
        ),
        ("x" * 200, "x" * 79 + "…"),
        ("", "policy.pdf"),
    ],
)
def test_a_thread_is_named_after_its_first_question(first, streams, workspace, text, title):
    """In direct messages, as it reads in a list; a file without words gives its name."""
    thread, event = first(text, files=({"id": "F1", "name": "policy.pdf"},))

    streams(longest=0)(event)

    assert list(workspace.workspace.titles.values()) == [title]
    assert next(iter(workspace.workspace.titles))[1] == thread


def test_a_thread_is_named_once(first, streams, workspace):
    """By the first question, however often that is told, and not by those that follow."""
    thread, event = first("First?")
    streams(longest=0)(event)
    streams(longest=0)(event)
    streams(longest=0)(first("Second?", thread)[1])

    assert len(workspace.calls("assistant.threads.setTitle")) == 1
    assert list(workspace.workspace.titles.values()) == ["First?"]


def test_a_thread_of_a_channel_has_no_title(asked, streams, workspace):
    """It is everybody's, and Slack lists none."""
    streams(longest=0)(started(asked[1]))

    assert workspace.calls("assistant.threads.setTitle") == []


def test_a_title_that_slack_refuses_stops_nothing(first, streams, workspace):
    """A workspace without agents: the status is shown all the same."""
    workspace.fail(Fault("error", "assistant.threads.setTitle", error="feature_not_enabled"))
    _, event = first("First?")

    streams()(event)

    assert workspace.workspace.titles == {}
    assert workspace.workspace.statuses == ["is thinking…"]


def test_stop_is_offered_while_we_are_at_work(asked, streams, workspace, deliver_answer):
    """The thread is a session that Slack shows a Stop button in, until the answer is there; it has a title."""
    requests, held = asked
    place = GENERAL, held.origin["thread"]
    pressed = []
    steps = [
        tell(asked, text("Your laptop ", 1)),
        lambda: pressed.append(workspace.stop(ALICE, *place)),
        lambda: requests.end(held, "cancelled", {"type": "about:blank", "title": "x"}, Plan("first", (), (), NOW)),
    ]

    streams(steps)(started(held))

    assert pressed[0]["event"]["streaming_message_ts"] == [workspace.messages(from_bot=True)[0]["ts"]]
    assert workspace.workspace.sessions[place] == {
        "title": "How?",
        "status": "active",
        "seen": ["processing", "active"],
    }
    with pytest.raises(KeyError):
        workspace.stop(ALICE, *place)


def test_session_waits_for_the_person_who_must_decide(asked, streams, workspace):
    """Nothing is at work then, and nothing is over."""
    streams([tell(asked, ("requires_action", {}))])(started(asked[1]))

    [session] = workspace.workspace.sessions.values()
    assert session["seen"] == ["processing", "suspended"]


def test_workspace_without_agents_is_asked_once(asked, streams, workspace):
    """Its answers are streamed all the same."""
    workspace.fail(Fault("error", "agents.sessions.setStatus", error="not_an_agent", times=9))

    streams([tell(asked, text("Your laptop ", 1))], longest=20)(started(asked[1]))

    assert len(workspace.calls("agents.sessions.setStatus")) == 1
    assert workspace.messages(from_bot=True)[0]["text"] == "Your laptop "


def test_delivery_ends_what_a_crash_left_at_work(asked, streams, workspace, deliver_answer):
    """Whoever showed the answer died: no Stop button stays below it."""

    class Killed(BaseException):
        pass

    def die():
        workspace.fail(Fault("reset", "agents.sessions.setStatus"))
        raise Killed

    with pytest.raises(Killed):
        streams([tell(asked, text("Your laptop ", 1)), die])(started(asked[1]))
    [session] = workspace.workspace.sessions.values()
    assert session["status"] == "processing"

    deliver_answer(asked, "Your laptop is old.")

    [session] = workspace.workspace.sessions.values()
    assert session["status"] == "active"


def test_status_is_taken_back_when_it_is_stopped_before_a_word(asked, streams, workspace):
    """No "is thinking" stays for minutes."""
    requests, held = asked
    cancel = lambda: requests.end(held, "cancelled", {"type": "about:blank", "title": "x"}, Plan("first", (), (), NOW))  # noqa: E731

    streams([cancel])(started(held))

    assert workspace.workspace.statuses == ["is thinking…", ""]


def test_an_answer_grows_and_is_finished_in_its_place(asked, streams, workspace, deliver_answer):
    """A status, then the text as it is written, then the whole answer in the same message: never two."""
    steps = [
        tell(asked, ("tool_call", {"step": 0, "tool": "find_laptop", "state": "started"})),
        tell(asked, text("Your laptop ", 1)),
        tell(asked, text("is **old**.", 1)),
        lambda: deliver_answer(asked, "Your laptop is **old**. Order a new one."),
    ]

    streams(steps)(started(asked[1]))

    (message,) = workspace.messages(from_bot=True)
    assert workspace.workspace.statuses[:2] == ["is thinking…", "is using find laptop…"]
    assert len(workspace.calls("chat.appendStream")) == 2
    assert "chat.postMessage" not in {call["method"] for call in workspace.calls()}
    assert message["text"] == "Your laptop is *old*. Order a new one."
    assert message["metadata"]["event_payload"]["part"] == 0
    assert message["streaming_state"] == "completed"


def test_an_answer_that_was_streamed_is_delivered_once_however_often_it_is_nudged(
    asked, streams, workspace, deliver_answer, row
):
    """A lost answer to the last edit is repeated harmlessly: an update is idempotent."""
    workspace.fail(Fault("reset", method="chat.update", accepted=True))
    statuses = []
    steps = [tell(asked, text("Hello")), lambda: statuses.append(deliver_answer(asked, "Hello there")[0])]

    streams(steps)(started(asked[1]))

    (message,) = workspace.messages(from_bot=True)
    assert statuses == [503]
    assert message["text"] == "Hello there"
    assert row("select state from deliveries")["state"] in ("queued", "delivered")


def test_another_instance_goes_on_where_one_stopped(asked, streams, workspace, row):
    """What was shown is not shown again, what was not follows."""
    stop = StopIteration()

    def crash():
        raise stop

    with pytest.raises(StopIteration):
        streams([tell(asked, text("one ")), crash])(started(asked[1]))
    asked[0].tell(asked[1], text("two "))
    streams([lambda: None, lambda: asked[0].tell(asked[1], text("three"))], longest=20)(started(asked[1]))

    (message,) = workspace.messages(from_bot=True)
    assert message["text"] == "one two three"


def test_two_that_follow_one_turn_show_it_once(asked, streams, workspace):
    """An event that comes twice finds the stream taken."""
    second = []

    def again():
        other = threading.Thread(target=streams(longest=10), args=(started(asked[1]),))
        other.start()
        other.join()
        second.append(True)

    streams([tell(asked, text("Hello")), again], longest=20)(started(asked[1]))

    assert second
    assert [m["text"] for m in workspace.messages(from_bot=True)] == ["Hello"]


def test_a_text_that_is_begun_anew_is_edited(asked, streams, workspace):
    """A stream cannot take words back: from then on the message is edited."""
    steps = [
        tell(asked, text("Wrong beginning")),
        tell(asked, ("reset", {"step": 0}), text("Right **beginning**")),
        lambda: None,
        tell(asked, text(" and end")),
    ]

    streams(steps, longest=30)(started(asked[1]))

    (message,) = workspace.messages(from_bot=True)
    assert message["text"] == "Right *beginning* and end"


def test_a_shorter_text_after_a_longer_one_is_shown(asked, streams, workspace):
    """What is begun anew need not be as long as what was said before."""
    steps = [
        tell(asked, text("A beginning that goes on for a while")),
        tell(asked, ("reset", {"step": 0}), text("Short.")),
        lambda: None,
    ]

    streams(steps, longest=20)(started(asked[1]))

    assert [m["text"] for m in workspace.messages(from_bot=True)] == ["Short."]


def test_an_edit_that_overtakes_the_answer_is_made_good(asked, streams, workspace, deliver_answer, database):
    """The answer came between our last look and our edit: it stands there in the end."""

    class Slow(SlackScreen):
        def edit(self, begun, text):
            if "late" in text:
                deliver_answer(asked, "The whole answer")
            super().edit(begun, text)

    steps = [
        tell(asked, text("Wrong")),
        tell(asked, ("reset", {"step": 0}), text("Right")),
        tell(asked, text(" and late")),
    ]
    times = iter(range(1, 10**6))
    screen = Slow(lambda *_: SlackApi(workspace.token, workspace.api_url))

    Streams(
        StreamRows(database), screen, patience=0, longest=40, clock=lambda: 2.0 * next(times),
        sleep=lambda _: steps.pop(0)() if steps else None,
    )(started(asked[1]))  # fmt: skip

    (message,) = workspace.messages(from_bot=True)
    assert message["text"] == "The whole answer"


def test_a_failure_is_said_where_the_answer_was_begun(asked, streams, workspace, deliver_answer):
    """Half an answer is replaced by what went wrong."""
    steps = [tell(asked, text("Half an ans")), lambda: deliver_answer(asked, "It took too long.", "failed")]

    streams(steps)(started(asked[1]))

    assert [m["text"] for m in workspace.messages(from_bot=True)] == ["It took too long."]


def test_an_answer_that_was_posted_meanwhile_stays_the_only_message(
    asked, streams, workspace, database, deliver_answer
):
    """The answer comes between the beginning of a stream and its being written down: the stream's message goes away."""
    rows = StreamRows(database)
    begun = rows.begin(asked[1].request_id, 10)
    screen = SlackScreen(lambda *_: SlackApi(workspace.token, workspace.api_url))
    ts = screen.start(begun)

    deliver_answer(asked, "The answer")
    opened = rows.opened(begun, ts)
    screen.remove(begun, ts)

    assert not opened
    assert [m["text"] for m in workspace.messages(from_bot=True)] == ["The answer"]


def test_a_stream_that_the_person_stops_cancels_the_turn(asked, streams, workspace, row):
    """Stop means stop: no error, and no more text."""

    def press_stop():
        (message,) = workspace.messages(from_bot=True)
        stored = workspace.workspace.conversations[GENERAL].messages[message["ts"]]
        stored["stream"]["stopped_by"] = ALICE

    steps = [tell(asked, text("A long ")), press_stop, tell(asked, text("story"))]

    streams(steps)(started(asked[1]))

    assert row("select cancel_requested from requests")["cancel_requested"] is True


@pytest.mark.parametrize(
    "fault",
    [
        Fault("error", method="chat.startStream", error="channel_type_not_supported", times=99),
        Fault("error", method="chat.startStream", error="missing_scope", times=99),
        Fault("reset", method="chat.appendStream", times=99),
        Fault("ratelimited", method="chat.appendStream", times=99),
        Fault("error", method="assistant.threads.setStatus", error="missing_scope", times=99),
    ],
    ids=lambda fault: f"{fault.method} {fault.error or fault.kind}",
)
def test_whatever_goes_wrong_the_answer_arrives_once(asked, streams, workspace, deliver_answer, fault):
    """A workspace without streams, a lost call, a rate limit: the delivery does not depend on any of it."""
    workspace.fail(fault)

    streams([tell(asked, text("Hel")), tell(asked, text("lo"))], longest=20)(started(asked[1]))
    deliver_answer(asked, "Hello there")

    assert [m["text"] for m in workspace.messages(from_bot=True)] == ["Hello there"]


def test_nothing_is_shown_to_who_wants_nothing_by_slack(asked, streams, workspace, row):
    """Off is off, for signs of life as well."""
    row(
        "insert into user_integrations (id, user_id, channel, enabled)"
        " select %s, user_id, 'slack', false from requests",
        UUID(int=7),
    )

    streams([tell(asked, text("Hello"))], longest=10)(started(asked[1]))

    assert workspace.calls() == []


def test_nothing_is_begun_below_an_answer_that_is_still_on_its_way(asked, streams, workspace, deliver_answer):
    """What people read in a thread is in the order in which they asked, also when an answer takes a second try."""
    requests, first = asked
    workspace.fail(Fault("ratelimited", "chat.postMessage", 1, seconds=1))
    assert deliver_answer(asked, "The first answer.")[0] != 200
    new = NewRequest(
        id=ids.new(), user_id=first.user_id, source="slack", content="And then?", principal="test", route="test",
        session=SessionWanted(thread=f"slack:T1:{GENERAL}:{first.origin['thread']}"), origin=first.origin,
    )  # fmt: skip
    requests.accept(new)
    second = requests, requests.claim(new.id, owner="test", revision="1")

    streams([tell(second, text("The second answer"))], longest=10)(started(second[1]))

    assert workspace.calls("chat.startStream") == []


def test_a_stream_calls_nobody(asked, streams, workspace):
    """Not even in two pieces."""
    steps = [tell(asked, text("Hi <")), tell(asked, text("!channel> and @her")), tell(asked, text("e and <@U1>."))]

    streams(steps, longest=30)(started(asked[1]))

    (message,) = workspace.messages(from_bot=True)
    assert message["text"] == "Hi <\u200b!channel> and @\u200bhere and <\u200b@U1>."


def test_when_all_places_are_taken_only_the_status_is_shown(asked, streams, workspace, database):
    """Streams never take the threads that answers need."""
    streams(most=0)(started(asked[1]))

    assert workspace.workspace.statuses == ["is thinking…"]
    assert SlackMessages(database) is not None
    assert workspace.messages(from_bot=True) == []
