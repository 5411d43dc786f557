"""slack-ingest over HTTP: nothing is acknowledged that the broker has not promised to keep."""

import json

import pytest
from channels.slack_inbound.cases import CASES

from parley import envelope, ingest, runtime, serve
from parley.domain.events import MessageReceived
from parley.errors import Misconfigured, Unavailable

NOW = 1700000000


class Broker:
    """Keeps what is sent; can be down."""

    def __init__(self):
        self.events = []
        self.is_down = False

    def send(self, event):
        if self.is_down:
            raise Unavailable("the broker cannot be reached")
        self.events.append(event)


@pytest.fixture
def broker():
    return Broker()


class Forms:
    """Shows what is opened; can be down. `order` is told of everything."""

    def __init__(self, order):
        self.order = order
        self.is_down = False

    def open(self, workspace, _enterprise, trigger, view):
        if self.is_down:
            raise Unavailable("views.open: expired_trigger_id")
        self.order.append((workspace, trigger, view["callback_id"]))
        return "V1"


@pytest.fixture
def forms(broker):
    return Forms(broker.events)


@pytest.fixture
def client(broker, forms):
    def build(_):
        return ingest.Ingest(broker, forms, secrets=["secret"], event_key="key", clock=lambda: NOW)

    function = runtime.http_function("slack-ingest", config=type(None), build=build, paths=ingest.PATHS)
    function._handler = build(None)
    return serve.application(function).test_client()


def signed(body):
    import hashlib
    import hmac

    made = hmac.new(b"secret", b"v0:%d:%s" % (NOW, body), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": str(NOW), "X-Slack-Signature": f"v0={made}"}


def mention(text="<@UBOT> hi", **more):
    event = {"type": "app_mention", "channel": "C1", "user": "U1", "text": text, "ts": "1700000000.000100", **more}
    return json.dumps(
        {
            "type": "event_callback", "team_id": "T1", "event_id": "Ev1", "event": event,
            "authorizations": [{"user_id": "UBOT"}],
        }
    ).encode()  # fmt: skip


def post(client, case, path="/slack/interactive"):
    """Send a case as Slack does."""
    kind = "application/json" if case.is_json else "application/x-www-form-urlencoded"
    return client.post(path, data=case.body, headers=signed(case.body), content_type=kind)


def named(name):
    return next(case for case in CASES if case.name == name)


@pytest.mark.parametrize("path", ["/", *ingest.PATHS])
@pytest.mark.parametrize("case", CASES[::7], ids=lambda case: case.name)
def test_every_door_takes_everything(client, broker, case, path):
    """Whichever address was entered for what in Slack's settings: status 200, the answer, the event."""
    answer = post(client, case, path)

    events = [event for event in broker.events if isinstance(event, envelope.Event)]
    assert answer.status_code == 200
    assert (answer.get_json() if answer.data else None) == case.answer
    assert [event.data["kind"] for event in events] == [kind for kind in [case.gives] if kind]


def test_form_opens_before_anything_is_published(client, broker):
    """A trigger lives for three seconds; the event then names the form that waits to be filled."""
    answer = post(client, named("preferences button"))

    opened, event = broker.events
    assert (answer.status_code, answer.data) == (200, b"")
    assert opened == ("T1", "1.2.3", "parley_preferences")
    assert event.data["view"] == "V1"


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("direct message", 503, None),  # Slack comes again
        ("uninstalled", 503, None),
        ("approve", 503, None),  # Slack shows a warning beside the button
        ("ask", 200, "text"),
        ("status", 200, "text"),
        ("ask form", 200, "errors"),
        ("preferences form", 200, "errors"),
        ("help", 200, "text"),  # needs nobody
        ("options", 200, "options"),
    ],
)
def test_nobody_is_told_that_it_was_kept_when_it_was_not(client, broker, name, status, said):
    """With the broker down: 503 where Slack tries again or shows it, words where it would show an error of its own."""
    broker.is_down = True

    answer = post(client, named(name))

    assert answer.status_code == status
    assert said in answer.get_json() if said else answer.data == b""
    assert broker.events == []


@pytest.mark.parametrize(
    ("name", "status"), [("preferences button", 503), ("preferences", 200), ("message shortcut", 503)]
)
def test_form_that_cannot_be_opened_publishes_nothing(client, broker, forms, name, status):
    """Too late for the trigger, or Slack is down: the person hears of it where Slack lets us say it."""
    forms.is_down = True

    answer = post(client, named(name))

    assert answer.status_code == status
    assert broker.events == []


@pytest.mark.parametrize("path", ["/", *ingest.PATHS])
def test_mention_is_published_signed_and_valid(client, broker, path):
    """One event with the contract's data, the message's identity as subject, and a signature that normalize checks."""
    answer = client.post(path, data=mention(), headers=signed(mention()))

    [event] = broker.events
    contract = MessageReceived.model_validate(event.data)
    assert answer.status_code == 200
    assert envelope.is_signed(event, ["key"])
    assert event.subject == contract.key == "slack:T1:C1:1700000000.000100"
    assert event.type == MessageReceived.TYPE == ingest.TYPE
    assert {**contract.extensions(), "traceparent": contract.traceparent}.items() <= event.extensions.items()


def test_retries_of_slack_have_one_id(client, broker):
    """The same message gives the same event id each time."""
    for _ in range(4):
        client.post("/", data=mention(), headers=signed(mention()))

    assert len({event.id for event in broker.events}) == 1


def test_slack_is_asked_to_come_again_when_the_broker_is_down(client, broker):
    """503, so that Slack retries; never a 200 for what is not kept."""
    broker.is_down = True

    answer = client.post("/", data=mention(), headers=signed(mention()))

    assert answer.status_code == 503


def test_challenge_is_answered_only_when_signed(client):
    """url_verification, too, must come from Slack."""
    body = b'{"type": "url_verification", "challenge": "abc"}'

    good, bad = client.post("/", data=body, headers=signed(body)), client.post("/", data=body)

    assert (good.status_code, good.get_json()) == (200, {"challenge": "abc"})
    assert (bad.status_code, bad.data) == (401, b"")


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[]", 400), (b'{"type": "app_rate_limited"}', 200), (mention(bot_id="B1"), 200)]
)
def test_what_is_not_for_us_publishes_nothing(client, broker, body, status):
    """Malformed is 400, ignored is 200; neither reaches the broker."""
    answer = client.post("/", data=body, headers=signed(body))

    assert answer.status_code == status
    assert broker.events == []


def test_it_does_not_start_without_its_secrets():
    """Fail closed: each of signing secret, event key, token and sink is required."""
    import importlib.util
    from pathlib import Path

    path = Path(__file__).parents[2] / "functions" / "slack-ingest" / "func.py"
    spec = importlib.util.spec_from_file_location("slack_ingest_func", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    full = {
        "SLACK_SIGNING_SECRET": "s", "EVENT_KEY": "k", "K_SINK": "http://127.0.0.1:1/", "SLACK_BOT_TOKEN": "xoxb-1",
    }  # fmt: skip

    for missing in full:
        module.function.configure({name: value for name, value in full.items() if name != missing})
        with pytest.raises(Misconfigured, match=missing):
            module.function.ready()
