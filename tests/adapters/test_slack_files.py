"""Files of Slack: fetched with the workspace's token, from Slack's own host, and from nowhere else."""

import pytest

from devkit.serving import LocalServer, Reply
from devkit.slack import ALICE, Fault, SlackStandIn
from parley.adapters import slack_files
from parley.adapters.slack_api import SlackApi
from parley.adapters.slack_files import SlackFiles
from parley.domain.turn import Read
from parley.errors import Rejected, Unavailable

ORIGIN = {"channel": "slack", "workspace": "T0PARLEY1", "conversation": "D1"}
PAGE = b"<!DOCTYPE html><html><head><title>Sign in to Slack</title></head></html>"


@pytest.fixture
def slack():
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def files(slack):
    """Read with this token; the clock can be another."""

    def make(token=slack.token, **options):
        api = SlackApi(token, slack.api_url)
        return SlackFiles(lambda *_: api, [slack.url.removeprefix("http://")], **options)

    return make


def read(files, file_id):
    return files.read(ORIGIN, {"id": file_id, "name": "from the event"})


def test_text_is_fetched_by_its_id(slack, files):
    """The name, the address and the size are those that Slack tells when it is asked."""
    file_id = slack.upload(ALICE, "notes.png", b"Buy milk")  # the name lies: what counts is the content

    assert read(files(), file_id) == Read("notes.png", "Buy milk")


def test_file_of_a_shared_channel_is_asked_for(slack, files):
    """Of another organisation's file the event tells the id and `check_file_info`."""
    file_id = slack.upload(ALICE, "theirs.txt", b"Hello", file_access="check_file_info")
    slack.say(ALICE, ALICE, "look", files=[file_id])
    [event] = slack.events_for(slack.messages()[-1]["ts"])
    assert "url_private" not in event["event"]["files"][0]

    assert read(files(), file_id) == Read("theirs.txt", "Hello")


def test_token_goes_to_slack_alone(slack, files, caplog):
    """Whatever address Slack names for a file, nobody but its own host is asked, nor over plain HTTP beside TLS."""
    asked = []
    with LocalServer(lambda request: asked.append(request) or Reply(200, b"stolen")) as other:
        for url in (f"{other.url}/x", slack.url.replace("127.0.0.1", "127.0.0.1@evil.example") + "/x",
                    f"https://{slack.url.removeprefix('http://')}/x", "file:///etc/passwd", "//x", ""):  # fmt: skip
            file_id = slack.upload(ALICE, "a.txt", b"x", url_private_download=url, url_private=url)
            assert read(files(), file_id).fault == "it lies outside of Slack", url

    assert asked == []
    assert slack.calls("files-pri") == []


def test_redirect_is_not_followed(slack, files):
    """Without the scope, Slack leads to its page to sign in: neither that nor any other place gets the token."""
    slack.sends_to_sign_in = True

    found = read(files(), slack.upload(ALICE, "a.txt", b"x"))

    assert found == Read("a.txt", fault="Slack does not let me")
    assert len(slack.calls("files-pri")) == 1


@pytest.mark.parametrize("declared", [{}, {"mimetype": "text/html"}, {"size": 0}])
def test_page_to_sign_in_is_no_file(slack, files, caplog, declared):
    """Slack may also answer 200 with that page; operators read in the log what is missing."""
    file_id = slack.upload(ALICE, "a.html", b"the true file", **declared)
    slack.workspace.files[file_id] = (slack.workspace.files[file_id][0], PAGE)

    assert read(files(), file_id).fault == "Slack does not let me"
    assert "files:read" in caplog.text


def test_page_that_somebody_sends_is_a_file(slack, files):
    """It is as long as Slack says."""
    assert read(files(), slack.upload(ALICE, "a.html", PAGE)).text == PAGE.decode()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"size": slack_files.LARGEST + 1}, "larger than 10 MiB"),
        ({"mode": "quip", "filetype": "quip"}, "neither text nor PDF"),
        ({"mode": "tombstone"}, "not there any more"),
        ({"mode": "hidden_by_limit"}, "plan hides it"),
        ({"mode": "external", "is_external": True}, "outside of Slack"),
    ],
)
def test_what_slack_does_not_have_is_not_asked_for(slack, files, fields, why):
    file_id = slack.upload(ALICE, "a.txt", b"x", **fields)

    assert why in read(files(), file_id).fault
    assert slack.calls("files-pri") == []


def test_size_is_counted_whatever_was_said(slack, files, monkeypatch):
    """A file that says that it is small is cut when it is not."""
    monkeypatch.setattr(slack_files, "LARGEST", 100_000)
    file_id = slack.upload(ALICE, "a.txt", b"x" * 200_000, size=5)

    assert "larger" in read(files(), file_id).fault


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault("error", "files.info", error="file_not_found"), "not there any more"),
        (Fault("error", "files.info", error="missing_scope"), "does not let me"),
        (Fault("error", "files.info", error="access_denied"), "does not let me"),
        (Fault("status", "files-pri", status=404), "not there any more"),
        (Fault("status", "files-pri", status=403), "does not let me"),
    ],
    ids=lambda value: value.error or str(value.status) if isinstance(value, Fault) else "",
)
def test_refusal_is_told_to_the_person(slack, files, fault, why):
    slack.fail(fault)

    assert why in read(files(), slack.upload(ALICE, "a.txt", b"x")).fault


@pytest.mark.parametrize(
    "fault",
    [
        Fault("error", "files.info", error="internal_error"),
        Fault("ratelimited", "files.info"),
        Fault("reset", "files.info"),
        Fault("status", "files-pri", status=503),
        Fault("ratelimited", "files-pri"),
        Fault("reset", "files-pri"),
    ],
    ids=lambda fault: f"{fault.kind} {fault.method}",
)
def test_what_passes_is_tried_again(slack, files, fault):
    """The turn is given back, and comes again."""
    file_id = slack.upload(ALICE, "a.txt", b"x")
    slack.fail(fault)

    with pytest.raises(Unavailable):
        read(files(), file_id)
    assert read(files(), file_id).text == "x"


def test_file_that_drips_is_given_up(slack, files):
    """Half a minute is enough for ten megabytes."""
    slack.fail(Fault("trickle", "files-pri", seconds=0.001))
    times = iter([0.0, *[31.0] * 100])

    with pytest.raises(Unavailable, match="too slowly"):
        read(files(clock=lambda: next(times)), slack.upload(ALICE, "a.txt", b"xyz"))


def test_workspace_that_has_removed_us_is_no_reason_to_wait(files):
    def gone(*_):
        raise Rejected("not installed in this workspace")

    found = SlackFiles(gone, ["files.slack.com"]).read(ORIGIN, {"id": "F1", "name": "a.txt"})

    assert found == Read("a.txt", fault="this workspace does not let me")
