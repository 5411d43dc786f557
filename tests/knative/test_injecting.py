"""
Events by hand, as docs/deploy.md says: `kn event send` for all that need no extension, `func invoke` and
`parley inject` for the others. The programs are the real ones; what runs is a whole installation.
"""

import json
import subprocess
import uuid
from pathlib import Path

import pytest
from flow.conftest import World, installation
from knative.go_tools import ROOT, built
from knative.test_func import MODULE, VERSION

from devkit import stage
from devkit.collector import Collector
from devkit.mailbox import Mailbox
from devkit.slack import ALICE, GENERAL, SlackStandIn

KN_EVENT = "knative.dev/kn-plugin-event"


@pytest.fixture(scope="module")
def kn_event():
    """The plugin of kn, as a program of its own."""
    return built("kn-event", KN_EVENT, "v0.48.0", f"{KN_EVENT}/cmd/kn-event")


@pytest.fixture(scope="module")
def func():
    return built("func", MODULE, VERSION, str(Path(__file__).with_name("func.go")))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Everything running, in one process, with a Slack that knows the sender."""
    home = tmp_path_factory.mktemp("parley")
    with (
        SlackStandIn() as slack, Mailbox() as mail, Collector() as collector,
        installation(home, slack, SMTP_URL=mail.url) as parley,
    ):  # fmt: skip
        yield World(parley, slack, collector)


@pytest.fixture
def broker(world):
    return f"http://127.0.0.1:{world.parley.facts['broker_port']}/parley/parley"


@pytest.fixture
def answered(world):
    """A request that has been answered, with a delivery to the test channel: its ids as events carry them."""
    answer = world.ask(delivery={"channels": ["test"]}).json()
    ids = {"request_id": answer["request_id"], "session_id": answer["session_id"]}
    query = "select id from deliveries where request_id = %s"
    ((delivery,),) = world.until(lambda: world.rows(query, answer["request_id"]))
    world.until(world.settled)
    return {**ids, "delivery_id": str(delivery), "channel": "test"}


@pytest.fixture
def send(kn_event):
    """Send an event by kn; gives its exit status and what it says."""

    def run(to, kind, data):
        # What looks like a number stays text, as ids and Slack's times must.
        fields = [
            part
            for name, value in data.items()
            for part in ("--field" if value in ("true", "false") else "--raw-field", f"{name}={value}")
        ]
        command = [kn_event, "send", "--to", to, "--type", kind, *fields]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def brought(world):
    """How many events the broker has brought to functions so far, and how many fitted no Trigger."""

    def counts():
        state = world.http.get(f"http://127.0.0.1:{world.parley.facts['broker_port']}/-/broker").json()
        return state["delivered"], sum(state["unmatched"].values())

    return counts


def message(text):
    return {
        "kind": "message", "origin": "slack", "key": f"slack:T1:{GENERAL}:{uuid.uuid4()}", "workspace": "T1",
        "sender": ALICE, "conversation": GENERAL, "is_mention": "true", "text": text,
    }  # fmt: skip


def test_a_message_by_kn_is_answered(world, broker, send):
    """The whole way, from normalize on: it says unsigned what slack-ingest would sign."""
    status, said = send(broker, "parley.message.received", message("How old must my laptop be?"))

    assert (status, "have been sent" in said) == (0, True), said
    query = "select state from requests where content = 'How old must my laptop be?' and source = 'slack'"
    world.until(lambda: world.rows(query) == [("completed",)])
    world.until(world.settled)
    assert any(posted["channel"] == GENERAL for posted in world.slack.messages() if posted.get("bot_id"))


def test_the_other_events_that_need_no_extension_reach_their_functions(world, broker, send, answered):
    for kind, data in (
        ("parley.request.created", {name: answered[name] for name in ("request_id", "session_id")}),
        ("parley.recovery.requested", {"why": "by hand"}),
    ):
        status, said = send(broker, kind, data)
        assert status == 0, said
    world.until(world.settled)
    assert world.rows("select count(*) from dead_letters") == [(0,)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("normalize", "parley.message.received"),
        ("agent-turn", "parley.request.created"),
        *((f"deliver-{channel}", "parley.response.ready") for channel in ("slack", "email", "sms", "webhook", "teams")),
        ("deliver-slack", "parley.turn.started"),
        ("deliver-test", "parley.response.ready"),
        ("recover", "parley.recovery.requested"),
    ],
)
def test_each_function_takes_its_own_event_by_kn(world, send, answered, name, kind):
    """Straight to it, past the broker's filters: no extension is needed, since handlers read the data alone."""
    channel = name.removeprefix("deliver-") if name.startswith("deliver-") else "test"
    data = message("Hello") if name == "normalize" else {**answered, "channel": channel}

    status, said = send(f"{world.parley.url}/functions/{name}/", kind, data)

    assert status == 0, said


def test_a_function_refuses_anothers_event_and_kn_says_so(world, send, answered):
    status, said = send(f"{world.parley.url}/functions/agent-turn/", "parley.response.ready", answered)
    assert status != 0
    assert "422" in said


def test_func_invoke_brings_the_channel_along(world, broker, func, answered, brought, tmp_path):
    """The one event that the broker routes by an extension."""
    stage.stage("deliver-test", tmp_path)
    before, missed = brought()
    command = [
        func, "invoke", tmp_path / "deliver-test", broker, "parley.response.ready", str(uuid.uuid4()),
        json.dumps(answered), "channel=test",
    ]  # fmt: skip

    subprocess.run(command, check=True, capture_output=True, text=True)

    world.until(lambda: brought() == (before + 1, missed))
    assert world.rows("select count(*) from dead_letters") == [(0,)]


def test_parley_inject_does_so_too(world, broker, answered, brought):
    """Its recipes know which extension follows from the data."""
    before, missed = brought()
    fields = [part for name, value in answered.items() for part in ("-f", f"{name}={value}")]
    command = [ROOT / ".venv" / "bin" / "parley", "inject", "delivery", "--broker", broker, *fields]

    subprocess.run(command, check=True, capture_output=True, text=True)

    world.until(lambda: brought() == (before + 1, missed))
