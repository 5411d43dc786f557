"""What people do in Slack besides asking: from the button that they press to the rows and to what they see."""

import json
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg.rows import dict_row

from devkit.slack import ALICE, BOB, GENERAL, SlackStandIn
from devkit.slack_events import sign
from parley import ingest, runtime, serve
from parley.adapters.postgres.actions import Actions
from parley.adapters.postgres.chat import Chat
from parley.adapters.postgres.escalations import Escalations
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.adapters.slack import Slack
from parley.adapters.slack_api import SlackApi
from parley.adapters.slack_surface import Surface
from parley.channels import slack_actions
from parley.deeds import ESCALATED, Deeds
from parley.domain.escalation import place
from parley.domain.events import MessageReceived
from parley.errors import Rejected
from parley.intake import Intake

PROMPTS = [{"title": "VPN", "message": "The VPN does not connect."}]


@pytest.fixture
def slack():
    """A Slack whose clock can be moved."""

    class Clock:
        now = 1_700_000_000.0

        def __call__(self):
            return self.now

    clock = Clock()
    with SlackStandIn(clock=clock) as stand_in:
        stand_in.clock = clock
        yield stand_in


@pytest.fixture
def desk(slack, database):
    """slack-ingest's door and normalize behind it, with a broker that hands over at once."""
    api = SlackApi(slack.token, slack.api_url)
    surface = Surface(lambda *_: api, hooks=slack.url.removeprefix("http://"))
    requests = Requests(database)
    people = Escalations(database, place(f"slack:T0PARLEY1:{GENERAL}"))
    deeds = Deeds(Chat(database), requests, Actions(database), people, surface, prompts=lambda: PROMPTS)
    intake = Intake(Users(database), requests, Slack(lambda *_: api), ["key"], deeds)
    return Desk(slack, surface, intake)


class Desk:
    """`do` posts a form, `hear` an event of Slack's; each gives the answer, and `emits` what normalize gave."""

    def __init__(self, slack, surface, intake):
        self.slack, self.intake, self.emits, self.refused = slack, intake, [], []
        handler = ingest.Ingest(
            self, surface, secrets=[slack.signing_secret], event_key="key", clock=lambda: slack.clock.now
        )
        function = runtime.http_function("slack-ingest", config=type(None), build=lambda _: handler, paths=ingest.PATHS)
        function._handler = handler
        self.client = serve.application(function).test_client()

    def send(self, event):
        """The broker: twice, as it may."""
        self.intake.guard(event)
        for _ in range(2):
            try:
                self.emits.append(self.intake(MessageReceived.model_validate(event.data)))
            except Rejected as error:
                self.refused.append(str(error))

    def do(self, fields):
        return self._post(urlencode(fields).encode(), "application/x-www-form-urlencoded")

    def hear(self, payload):
        return self._post(json.dumps(payload).encode(), "application/json")

    def say(self, *arguments):
        """Let a person write; gives the message's ts."""
        ts = self.slack.say(*arguments)
        for payload in self.slack.events_for(ts):
            self.hear(payload)
        return ts

    def _post(self, body, kind):
        headers = sign(self.slack.signing_secret, body, int(self.slack.clock.now))
        answer = self.client.post("/", data=body, headers=headers, content_type=kind)
        assert answer.status_code == 200, answer.status
        return answer.get_json() if answer.data else None


@pytest.fixture
def rows(database_url):
    """Read rows."""

    def read(query, *values):
        with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()

    return read


def event(slack, **inner):
    """Give an event of Slack's that no message is."""
    return {
        "type": "event_callback", "team_id": "T0PARLEY1", "event_id": f"Ev{slack.clock.now}", "event": inner,
        "authorizations": [{"team_id": "T0PARLEY1", "user_id": "U0PARLEYB"}],
    }  # fmt: skip


def direct(slack):
    """The conversation of Alice with the app."""
    return slack.workspace.open((ALICE,))[0]


# --- edit, delete, stop ---


def edit(desk, ts, text, user=ALICE):
    place, base = direct(desk.slack), {"type": "message", "user": user, "ts": ts}
    now = {**base, "text": text, "edited": {"user": user, "ts": "1700000009.000000"}}
    desk.hear(
        event(
            desk.slack, type="message", subtype="message_changed", hidden=True, channel=place, channel_type="im",
            message=now, previous_message={**base, "text": "before"}, ts="1700000009.000001",
        )
    )  # fmt: skip


def test_edit_replaces_what_nobody_has_begun_to_answer(desk, rows):
    """The question is asked as it stands; once a turn has begun, an edit changes nothing."""
    ts = desk.say(ALICE, ALICE, "How odl?")

    edit(desk, ts, "How old?")
    [asked] = rows("select id, content from requests")
    assert asked["content"] == "How old?"
    desk.intake._store.claim(asked["id"], owner="test", revision="1")
    edit(desk, ts, "How new?")

    assert rows("select content from requests") == [{"content": "How old?"}]


def test_nobody_edits_what_somebody_else_asked(desk, rows):
    """The author of the edit must be the author of the question."""
    ts = desk.say(ALICE, ALICE, "How old?")

    edit(desk, ts, "Delete everything", user=BOB)

    assert rows("select content from requests") == [{"content": "How old?"}]


def test_deletion_takes_the_question_back(desk, rows):
    """A question that is deleted is cancelled, and the next one of the conversation is nudged."""
    ts = desk.say(ALICE, ALICE, "First?")
    desk.say(ALICE, ALICE, "Second?")
    desk.emits.clear()

    place, gone = direct(desk.slack), {"type": "message", "user": ALICE, "ts": ts, "text": "First?"}
    desk.hear(
        event(
            desk.slack, type="message", subtype="message_deleted", hidden=True, channel=place, deleted_ts=ts,
            previous_message=gone, ts="1700000009.000001",
        )
    )  # fmt: skip

    first, second = rows("select id, state from requests order by seq")
    assert (first["state"], second["state"]) == ("cancelled", "queued")
    assert [emit.contract.request_id for emit in desk.emits if emit] == [second["id"]]


def test_stop_button_of_slack_cancels_what_runs_in_the_thread(desk, rows):
    """agent_session_stopped names the thread: the running request is told to end itself."""
    ts = desk.say(ALICE, ALICE, "How old?")
    [asked] = rows("select id from requests")
    desk.intake._store.claim(asked["id"], owner="test", revision="1")

    desk.hear(event(desk.slack, type="agent_session_stopped", user=ALICE, channel=direct(desk.slack), thread_ts=ts))

    assert rows("select state, cancel_requested from requests") == [{"state": "running", "cancel_requested": True}]


def test_cancel_on_the_home_tab_ends_the_question_and_shows_it(desk, slack, rows):
    """The button is there while the question is open; afterwards the tab says that it was cancelled."""
    desk.say(ALICE, ALICE, "How old?")
    desk.hear(event(slack, type="app_home_opened", user=ALICE, channel=direct(slack), tab="home"))
    [asked] = rows("select id from requests")

    desk.do(slack.surfaces.click_home(ALICE, slack_actions.CANCEL, str(asked["id"])))

    assert rows("select state from requests") == [{"state": "cancelled"}]
    assert "cancelled" in json.dumps(slack.surfaces.homes[ALICE])
    with pytest.raises(KeyError):
        slack.surfaces.click_home(ALICE, slack_actions.CANCEL)


def test_nobody_stops_what_is_not_theirs(desk, slack, rows):
    """A button's value is no authority."""
    desk.say(ALICE, ALICE, "How old?")
    [asked] = rows("select id from requests")
    button = {"type": "button", "action_id": slack_actions.STOP, "value": str(asked["id"])}
    message = {"channel": GENERAL, "ts": "1.1", "blocks": [{"type": "actions", "elements": [button]}]}

    desk.do(slack.surfaces.click(BOB, message, slack_actions.STOP))

    assert rows("select state, cancel_requested from requests") == [{"state": "queued", "cancel_requested": False}]


# --- votes ---


WORDS = (("positive", "good"), ("negative", "bad"))


def vote(desk, user, request_id, rating):
    choices = {f"{kind}_button": {"value": f"{word}:{request_id}"} for kind, word in WORDS}
    button = {"type": "feedback_buttons", "action_id": slack_actions.VOTE, **choices}
    message = {"channel": GENERAL, "ts": "1.1", "blocks": [{"type": "context_actions", "elements": [button]}]}
    desk.slack.clock.now += 1
    desk.do(desk.slack.surfaces.click(user, message, slack_actions.VOTE, f"{rating}:{request_id}"))


def test_last_vote_of_the_asker_counts(desk, slack, rows):
    """Votes are stored once for each answer; those of others are not, and nobody is thanked for them."""
    desk.say(ALICE, ALICE, "How old?")
    desk.say(BOB, BOB, "And mine?")
    [mine] = rows("select id from requests where content = 'How old?'")

    for user, rating in ((ALICE, "good"), (ALICE, "bad"), (BOB, "good")):
        vote(desk, user, mine["id"], rating)

    assert rows("select rating from request_feedback") == [{"rating": "down"}]
    assert {reply["user"] for reply in slack.surfaces.replies} == {ALICE}


def test_vote_on_what_is_no_id_is_a_dead_letter(desk):
    """A forged value is refused for good: it blocks nobody."""
    vote(desk, ALICE, "no-id", "good")

    assert desk.refused == ["an id that is none"] * 2


# --- commands ---


def test_command_asks_and_is_answered_directly(desk, slack, rows):
    """`/parley ask` in a channel makes a request whose answer goes to the person's direct messages."""
    answer = desk.do(slack.surfaces.command(ALICE, GENERAL, "ask How old?"))

    [asked] = rows("select content, origin, thread from requests")
    assert answer == {"response_type": "ephemeral", "text": "I am on it, and answer in our direct messages."}
    assert asked["content"] == "How old?"
    assert (asked["origin"]["conversation"], asked["origin"]["thread"], asked["thread"]) == (ALICE, None, None)


def test_status_shows_ones_own_questions_only(desk, slack):
    """To the one who asked for it, at the reply URL."""
    desk.say(ALICE, ALICE, "Mine &amp; only mine?")
    desk.say(BOB, BOB, "Bob's?")

    assert desk.do(slack.surfaces.command(ALICE, GENERAL, "status")) is None

    shown = json.dumps([reply["body"] for reply in slack.surfaces.replies])
    assert {reply["user"] for reply in slack.surfaces.replies} == {ALICE}
    assert "Mine &amp; only mine?" in shown
    assert "Bob's" not in shown


def test_new_forgets_the_conversation(desk, slack, rows):
    """What is written next is in another session; what was asked before stays."""
    desk.say(ALICE, ALICE, "One?")
    desk.do(slack.surfaces.command(ALICE, direct(slack), "new"))
    desk.say(ALICE, ALICE, "Two?")

    sessions = [row["session_id"] for row in rows("select session_id from requests order by id")]
    assert len(set(sessions)) == 2


# --- a person is asked ---


def hand_over(desk, user, request_id):
    """Press the button below an answer."""
    button = {"type": "button", "action_id": slack_actions.ESCALATE, "value": str(request_id)}
    message = {"channel": GENERAL, "ts": "1.1", "blocks": [{"type": "actions", "elements": [button]}]}
    desk.do(desk.slack.surfaces.click(user, message, slack_actions.ESCALATE))


def test_button_hands_the_conversation_to_a_person(desk, slack, rows):
    """People are told where the setting says, by a delivery that is owed like any other; once, whatever comes twice."""
    desk.say(ALICE, ALICE, "My laptop burns")
    [asked] = rows("select id from requests")
    desk.emits.clear()

    hand_over(desk, ALICE, asked["id"])

    [told] = rows("select id, channel, kind, state, address, notice from deliveries")
    assert (told["channel"], told["kind"], told["state"]) == ("slack", "escalation", "queued")
    assert (told["address"]["workspace"], told["address"]["conversation"]) == ("T0PARLEY1", GENERAL)
    assert "My laptop burns" in told["notice"]
    assert "alice@example.com" in told["notice"]
    assert {emit.contract.delivery_id for emit in desk.emits} == {told["id"]}
    assert {reply["body"]["text"] for reply in slack.surfaces.replies} == {ESCALATED}
    assert rows("select state, reason from escalations") == [{"state": "open", "reason": None}]


def test_command_hands_over_the_last_question_with_its_reason(desk, slack, rows):
    """`/parley person` is about what was asked last, by whoever says it; with nothing asked, they are told so."""
    desk.do(slack.surfaces.command(ALICE, GENERAL, "person: because"))
    assert "nothing yet" in slack.surfaces.replies[-1]["body"]["text"]
    desk.say(ALICE, ALICE, "First?")
    desk.say(ALICE, ALICE, "Second?")
    desk.say(BOB, BOB, "Bob's?")

    desk.do(slack.surfaces.command(ALICE, GENERAL, "person: Nobody answers me"))

    told = rows("select e.reason, r.content from escalations e join requests r on r.id = e.request_id")
    assert told == [{"reason": "Nobody answers me", "content": "Second?"}]


def test_nobody_hands_over_what_is_not_theirs(desk, slack, rows):
    """The conversation of somebody else is read by nobody who presses their button."""
    desk.say(ALICE, ALICE, "My salary?")
    [asked] = rows("select id from requests")

    hand_over(desk, BOB, asked["id"])

    assert rows("select id from escalations") + rows("select id from deliveries") == []
    assert "not yours" in slack.surfaces.replies[-1]["body"]["text"]


# --- Home, prompts, forms ---


def test_home_shows_questions_and_how_answers_come(desk, slack):
    """Whoever opens the tab sees their own."""
    desk.say(ALICE, ALICE, "How old?")

    desk.hear(event(slack, type="app_home_opened", user=ALICE, channel=direct(slack), tab="home"))

    shown = json.dumps(slack.surfaces.homes[ALICE])
    assert "How old?" in shown
    assert "As everybody: here in Slack." in shown


THREAD = {"user_id": ALICE, "channel_id": "D1", "thread_ts": "1700000000.000001"}


@pytest.mark.parametrize(
    "inner",
    [
        {"type": "app_home_opened", "user": ALICE, "channel": "D1", "tab": "messages"},
        {"type": "assistant_thread_started", "assistant_thread": THREAD},
    ],
)
def test_empty_conversation_suggests_what_to_ask(desk, slack, inner):
    """Up to four prompts; in a workspace of the older kind, in the thread."""
    desk.hear(event(slack, **inner))

    shown = slack.surfaces.prompts[0]
    assert (shown["channel_id"], shown["prompts"]) == ("D1", PROMPTS)
    assert shown.get("thread_ts") == inner.get("assistant_thread", {}).get("thread_ts")


def test_preferences_are_opened_filled_and_kept(desk, slack, rows):
    """The form opens empty at once, is filled with what is known, and what is saved is there the next time."""
    desk.do(slack.surfaces.command(ALICE, GENERAL, "preferences"))
    [view_id] = slack.surfaces.views

    desk.do(slack.surfaces.submit(ALICE, view_id, {"channel_sms": "never", "channel_email": "1"}))

    chosen = rows("select channel, enabled, rank from user_integrations order by channel")
    assert {row["channel"]: (row["enabled"], row["rank"]) for row in chosen} == {
        "email": (None, 1), "sms": (False, None), "slack": (None, None), "webhook": (None, None),
    }  # fmt: skip
    assert "Never: Text message" in json.dumps(slack.surfaces.homes[ALICE])


def test_quiet_hours_are_kept_shown_and_dropped(desk, slack, rows):
    """Both times or none; what is there is in the form the next time."""
    desk.do(slack.surfaces.command(ALICE, GENERAL, "preferences"))
    [view_id] = slack.surfaces.views
    desk.do(
        slack.surfaces.submit(ALICE, view_id, {slack_actions.QUIET_FROM: "22:00", slack_actions.QUIET_UNTIL: "07:30"})
    )

    assert "Quiet from 22:00 until 07:30" in json.dumps(slack.surfaces.homes[ALICE])
    desk.do(slack.surfaces.command(ALICE, GENERAL, "preferences"))
    second = list(slack.surfaces.views)[-1]
    assert "22:00" in json.dumps(slack.surfaces.views[second])
    desk.do(slack.surfaces.submit(ALICE, second, {slack_actions.QUIET_FROM: "", slack_actions.QUIET_UNTIL: ""}))
    assert rows("select quiet_from, quiet_until from users") == [{"quiet_from": None, "quiet_until": None}]


def test_time_zone_is_looked_up_while_it_is_typed(desk, slack, rows):
    """The form offers zones that fit, and the chosen one is the person's."""
    desk.do(slack.surfaces.command(ALICE, GENERAL, "preferences"))
    [view_id] = slack.surfaces.views

    offered = desk.do(slack.surfaces.look_up(ALICE, view_id, slack_actions.TIMEZONE, "new y"))
    desk.do(slack.surfaces.submit(ALICE, view_id, {slack_actions.TIMEZONE: offered["options"][0]["value"]}))

    assert rows("select timezone from users") == [{"timezone": "America/New_York"}]


def test_form_asks_about_a_message(desk, slack, rows):
    """The shortcut on a message quotes it; the question and the quotation are one request."""
    slack.say(GENERAL, BOB, "The fridge is &lt;broken&gt;")
    [message] = slack.messages(GENERAL)

    desk.do(slack.surfaces.shortcut(ALICE, slack_actions.ASK_ABOUT, message))
    [view_id] = slack.surfaces.views
    desk.do(slack.surfaces.submit(ALICE, view_id, {slack_actions.QUESTION: "Who repairs this?"}))

    assert rows("select content from requests") == [{"content": "Who repairs this?\n\n> The fridge is <broken>"}]


def test_trigger_that_is_too_old_opens_nothing(desk, slack):
    """The person is told to try again, and nothing was kept."""
    fields = slack.surfaces.command(ALICE, GENERAL, "preferences")
    slack.clock.now += 4

    answer = desk.do(fields)

    assert "try again" in answer["text"]
    assert desk.emits == []


def test_what_cannot_be_shown_stops_nothing(desk, slack, rows):
    """A form that was closed meanwhile: what was saved is saved, and the event is not tried for hours."""
    desk.do(slack.surfaces.command(ALICE, GENERAL, "preferences"))
    [view_id] = slack.surfaces.views
    fields = slack.surfaces.submit(ALICE, view_id, {"channel_sms": "never"})
    slack.workspace.users.pop(ALICE)  # no Home tab to publish any more

    desk.do(fields)

    assert rows("select enabled from user_integrations where channel = 'sms'") == [{"enabled": False}]


def test_app_that_was_removed_is_said_in_the_log(desk, slack, caplog):
    """Nobody is asked about it, and the log tells the operator."""
    desk.hear(event(slack, type="app_uninstalled"))

    assert "the app was removed from a workspace" in caplog.text
    assert desk.emits == [None, None]
