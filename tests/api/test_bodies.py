"""What may be sent: each rule with its status and the place that it points to; what was sent never comes back."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from parley import envelope, runtime, serve
from parley.adapters.files import load_defaults
from parley.api import bodies
from parley.api.desk import Rules
from parley.api.problems import Problem
from parley.api.routes import Api
from parley.domain import ids
from parley.domain.keys import Principal
from parley.domain.requests import Accepted

DEFAULTS = load_defaults(Path(__file__).parents[2] / "config" / "integrations.yaml").channels

REQUESTS = "/api/v1/requests"
LONGEST = 32 << 10
LARGEST = 64 << 10
HEADERS = {"Prefer": "respond-async"}


def faults(model, value):
    """The pointers of what is wrong with a body."""
    with pytest.raises(Problem) as raised:
        bodies.validated(model, value)
    assert (raised.value.kind, raised.value.status) == ("invalid", 422)
    envelope.dumps(raised.value.body())
    return [error["pointer"] for error in raised.value.errors]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/content"),
        ({"content": ""}, "/content"),
        ({"content": " \n\t "}, "/content"),
        ({"content": 7}, "/content"),
        ({"content": None}, "/content"),
        ({"content": "a\x00b"}, "/content"),
        ({"content": "x" * (LONGEST + 1)}, "/content"),
        ({"content": "é" * (LONGEST // 2 + 1)}, "/content"),
        ({"content": "Hi", "session_id": "mine"}, "/session_id"),
        ({"content": "Hi", "colour": "red"}, "/colour"),
        ({"content": "Hi", "a/b~c": 1}, "/a~1b~0c"),
        ({"content": "Hi", "delivery": {"channels": []}}, "/delivery/channels"),
        ({"content": "Hi", "delivery": {"channels": ["no fax"]}}, "/delivery/channels/0"),
        ({"content": "Hi", "delivery": {"channels": ["slack"], "mode": "some"}}, "/delivery/mode"),
        ({"content": "Hi", "delivery": {"channels": ["slack"], "to": "x"}}, "/delivery/to"),
        ({"content": "Hi", "context": {str(n): n for n in range(17)}}, "/context"),
        ({"content": "Hi", "context": {"a": "\x00"}}, "/context/a"),
        ({"content": "Hi", "context": {"a": {"b": 1}}}, "/context/a"),
        ({"content": "Hi", "user": {"email": "nobody"}}, "/user/email"),
        ({"content": "Hi", "user": {"email": "a\x00b@example.org"}}, "/user/email"),
        ({"content": "Hi", "user": {"email": "a@b\x00.example.org"}}, "/user/email"),
        ({"content": "Hi", "user": {}}, "/user/email"),
        ({"content": "Hi", "on_busy": "wait"}, "/on_busy"),
        ([], ""),
        ("Hi", ""),
    ],
)
def test_wrong_body_is_refused_with_its_place(body, pointer):
    """422 with a JSON pointer to what is wrong: into the body, or to what is missing there."""
    found = faults(bodies.Ask, body)

    assert pointer in found
    assert all(pointer.startswith(at) for at in found)


def test_name_of_a_fact_is_no_text():
    """It is as long as a name is; what is told of it is as short as any place."""
    assert bodies.validated(bodies.Ask, {"content": "Hi", "context": {"x" * 200: 1}})

    for model, field in ((bodies.Ask, "context"), (bodies.AskTool, "tool_context")):
        at = [one for one in faults(model, {"content": "Hi", field: {"x" * 201: 1}}) if one.startswith(f"/{field}/xx")]
        assert [len(one) < 201 for one in at] == [True]
    assert bodies.validated(bodies.BeginSession, {"metadata": {"x" * 200: ""}})
    assert len(faults(bodies.BeginSession, {"metadata": {"x" * 201: ""}})) == 1


def test_each_place_is_named_once():
    """All that is wrong, in one answer."""
    found = faults(bodies.Ask, {"context": {"a": [], "b": {}, "c/d": None, "[key]": "\x00"}, "x": 1})

    assert found == ["/content", "/context/a", "/context/b", "/context/[key]", "/x"]


def test_our_own_words_come_without_those_of_the_library():
    """A caller reads what is wrong, not how it was found."""
    with pytest.raises(Problem) as raised:
        bodies.validated(bodies.Ask, {"content": " "})

    assert "Value error" not in str(raised.value.errors)
    assert "blank" in str(raised.value.errors)


def test_yes_and_no_are_no_words():
    """`"no"` is no false: who sends it must hear of it."""
    assert faults(bodies.IntegrationSetting, {"enabled": "no"}) == ["/enabled"]


def test_key_that_is_none_is_a_place():
    """What is wrong with a name points to it."""
    assert faults(bodies.Ask, {"content": "Hi", "context": {"a\x00": 1}}) == ["/context/a\x00"]


@pytest.mark.parametrize(
    "text",
    [
        b'{"content": "half \\ud83d of it"}',
        b'{"content": "Hi", "context": {"a": 1e999}}',
        b'{"content": "Hi", "context": {"a": -1e999}}',
        b'{"content": "Hi", "context": {"\\ud800": 1}}',
        b'{"content": "Hi", "\\ud800": 1}',
        b'{"content": "Hi", "context": {"a": "\\ud800"}}',
        b'{"content": "Hi", "user": {"email": "\\ud800@example.org"}}',
        b'{"content": "Hi", "session_id": 1e999}',
    ],
)
def test_what_no_row_can_hold_is_refused(text):
    """Numbers without an end and halves of characters pass the JSON reader; they are refused, not stumbled over."""
    found = faults(bodies.Ask, envelope.loads(text))

    assert found


@pytest.mark.parametrize("body", [{"content": "canary \x00"}, {"content": "Hi", "context": {"a": ["canary"]}}])
def test_what_was_sent_does_not_come_back(body):
    """A problem names places, never values."""
    with pytest.raises(Problem) as raised:
        bodies.validated(bodies.Ask, body)

    assert "canary" not in str(raised.value.body())


class Doors:
    """Keys, store and views of somebody who may ask everything; keeps what was accepted."""

    def __init__(self):
        self.accepted = []

    def principal(self, _):
        return Principal(ids.new(), ids.new(), "user")

    def accept(self, new):
        self.accepted.append(new)
        return Accepted(new.id, ids.new())

    def request(self, id_):
        times = dict.fromkeys(("created_at", "started_at", "finished_at", "deadline"))
        row = {
            "id": id_,
            "session_id": ids.new(),
            "state": "queued",
            "version": 1,
            "attempt": 0,
            "queue_position": 0,
            "answered_by": None,
        }
        return {**row, **times}

    def versions(self, _):
        return {}

    def ready(self):
        pass

    def close(self):
        pass


@pytest.fixture
def doors():
    return Doors()


@pytest.fixture
def post(doors):
    """Post bytes as a request."""
    silent = SimpleNamespace(publish=lambda _: None)
    api = Api(doors, doors, silent, Rules("k", most_waiters=1), doors=[doors.principal])
    api.desk.views = doors
    function = runtime.http_function("request-api", config=type(None), build=lambda _: api)
    function._handler = api
    client = serve.application(function).test_client()

    def send(body, media="application/json"):
        return client.post(REQUESTS, data=body, headers=HEADERS | {"Content-Type": media})

    return send


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"{'content': 'Hi'}", b'{"content": "\xff"}', b'{"content": NaN}', b"[" * 60_000,
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
    ids=["empty", "cut", "quotes", "not UTF-8", "NaN", "deep", "a long number"],
)  # fmt: skip
def test_what_is_no_json_is_malformed(post, doors, problem, body):
    """400: sent again it will be no JSON again."""
    got = post(body)

    problem(got, "bad-request", 400)
    assert doors.accepted == []


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "", "application/json-patch+json"]
)
def test_only_json_is_read(post, problem, media):
    """415 for every other media type."""
    got = post(b'{"content": "Hi"}', media)

    problem(got, "not-json", 415)


@pytest.mark.parametrize("media", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_has_parameters_and_any_case(post, media):
    """A parameter or capitals make it no other media type."""
    got = post(b'{"content": "Hi"}', media)

    assert got.status_code == 202


def test_longest_content_is_taken(post, doors):
    """32 KiB are counted in bytes of UTF-8, and the limit itself is allowed."""
    text = "é" * (LONGEST // 2)

    got = post(json.dumps({"content": text}, ensure_ascii=False).encode())

    assert got.status_code == 202
    assert doors.accepted[0].content == text


@pytest.mark.parametrize(("size", "status"), [(LARGEST, 202), (LARGEST + 1, 413)])
def test_body_has_a_largest_size(post, problem, size, status):
    """64 KiB and not a byte more, whatever is in it."""
    text = b'{"content": "Hi"}'

    got = post(text + b" " * (size - len(text)))

    assert got.status_code == status
    if status == 413:
        problem(got, "too-large", 413)


@pytest.mark.parametrize(
    ("channel", "sent", "stored"),
    [
        ("email", {}, {}),
        ("email", {"address": "a.b+c@example.org"}, {"address": "a.b+c@example.org"}),
        ("sms", {"number": "+491234567"}, {"number": "+491234567"}),
        ("webhook", {"url": "https://example.org/h?x=1"}, {"url": "https://example.org/h?x=1"}),
        ("webhook", {"url": "https://[2001:db8::1]:8443/"}, {"url": "https://[2001:db8::1]:8443/"}),
        ("slack", {}, {}),
        ("test", {}, {}),
    ],
)
def test_place_of_a_channel_is_taken(channel, sent, stored):
    """Each channel has its own fields."""
    found = bodies.config(DEFAULTS[channel], bodies.IntegrationSetting(config=sent))

    assert found == stored


@pytest.mark.parametrize(
    ("channel", "sent", "pointer"),
    [
        ("email", {"address": "nobody"}, "/config/address"),
        ("email", {"address": "a@b, c@d"}, "/config/address"),
        ("email", {"address": "a@b\r\nBcc: c@d"}, "/config/address"),
        ("email", {"address": "x@" + "y" * 254}, "/config/address"),
        ("sms", {}, "/config/number"),
        ("sms", {"number": "0123"}, "/config/number"),
        ("sms", {"number": "+4912345678901234"}, "/config/number"),
        ("sms", {"number": "+491234567\n"}, "/config/number"),
        ("webhook", {}, "/config/url"),
        ("webhook", {"url": "ftp://example.org"}, "/config/url"),
        ("webhook", {"url": "https://"}, "/config/url"),
        ("webhook", {"url": "https:///path"}, "/config/url"),
        ("webhook", {"url": "https://[::1/"}, "/config/url"),
        ("webhook", {"url": "https://example.org:99999/"}, "/config/url"),
        ("webhook", {"url": "https://me:secret@example.org/"}, "/config/url"),
        ("webhook", {"url": "https://example.org/a b"}, "/config/url"),
        ("webhook", {"url": "https://example.org/" + "x" * 2000}, "/config/url"),
        ("webhook", {"url": "javascript:alert(1)"}, "/config/url"),
        ("webhook", {"url": "https://example.org", "secret": "mine"}, "/config/secret"),
        ("slack", {"channel": "C1"}, "/config/channel"),
        ("test", {"x": 1}, "/config/x"),
    ],
)
def test_place_that_is_none_is_refused(channel, sent, pointer):
    """An address that nothing could be sent to is told at once, with its place."""
    with pytest.raises(Problem) as raised:
        bodies.config(DEFAULTS[channel], bodies.IntegrationSetting(config=sent))

    assert [error["pointer"] for error in raised.value.errors] == [pointer]
    assert "secret@" not in str(raised.value.body())


@pytest.mark.parametrize("channel", sorted(DEFAULTS))
def test_channel_that_is_turned_off_needs_no_place(channel):
    """Whoever wants no text messages need not give a number."""
    found = bodies.config(DEFAULTS[channel], bodies.IntegrationSetting(enabled=False))

    assert found == {}


@pytest.mark.parametrize("body", [{"rank": 0}, {"rank": 100}, {"enabled": "perhaps"}, {"config": []}, {"x": 1}])
def test_setting_that_is_none_is_refused(body):
    """Rank 1 to 99, on or off, and nothing else."""
    found = faults(bodies.IntegrationSetting, body)

    assert found == [f"/{next(iter(body))}"]
