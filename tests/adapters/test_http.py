"""Posting to a URL that a user gave, and the URLs that they should not have given."""

import ipaddress

import pytest

from devkit.serving import LocalServer, Reply
from parley.adapters.http import Webhooks
from parley.adapters.pinned import Pinned, Refused, is_public, target
from parley.channels.outcome import Delivered, Failed, Retry, Unsure, Wait

HERE = ("127.0.0.0/8", "::1/128")


def hooks(**options):
    """The channel, with the options of what makes its requests."""
    return Webhooks(["key"], Pinned(**options))


@pytest.fixture
def receiver():
    """A receiver: `answers` is its next reply, `requests` is what it got."""
    requests = []

    def answer(request):
        requests.append(request)
        return server.answers

    server = LocalServer(answer)
    server.answers, server.requests = Reply(204), requests
    with server:
        yield server


@pytest.fixture
def hooked(job):
    """A job for a URL."""
    return lambda url, **fields: job("Hi", channel="webhook", address={"url": url, "integration": "i1"}, **fields)


def test_an_answer_is_posted(receiver, hooked):
    """The receiver gets one POST with the signed headers and the name as Host."""
    channel = hooks(allow=HERE, names=lambda *_: ["127.0.0.1"])
    url = f"http://hooks.example.org:{receiver.port}/a%20b/ä?x=1&y=ü#part"

    sent = channel.send(hooked(url), 5)

    (request,) = receiver.requests
    assert sent.outcome == Delivered()
    assert (request.method, request.path, request.query) == ("POST", "/a%20b/%C3%A4", "x=1&y=%C3%BC")
    assert request.headers["host"] == f"hooks.example.org:{receiver.port}"
    assert request.headers["webhook-id"] == str(hooked(url).delivery_id)
    assert request.headers["content-length"] == str(len(request.body))


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (Reply(200, b"ok"), Delivered),
        (Reply(302, headers={"Location": "http://127.0.0.1/"}), Failed),
        (Reply(410), Failed),
        (Reply(429, headers={"Retry-After": "120"}), Wait),
        (Reply(500), Retry),
        (Reply(breaks="reset"), Unsure),
        (Reply(breaks="hang"), Unsure),
        (Reply(200, b"x" * 100, breaks="trickle", pace=0.2), Delivered),
        (Reply(200, b"x" * 1000, breaks="endless"), Delivered),
    ],
    ids=["ok", "redirect", "gone", "wait", "error", "reset", "hang", "trickle", "endless"],
)
def test_receivers_of_all_kinds(receiver, hooked, answer, meaning):
    """One request each; a redirect is not followed, and neither silence nor an endless answer holds us."""
    receiver.answers = answer

    sent = hooks(allow=HERE, longest=1).send(hooked(receiver.url), 5)

    assert isinstance(sent.outcome, meaning)
    assert len(receiver.requests) == 1


def test_nobody_there_is_surely_not_sent(hooked):
    """A refused connection and an unknown name are no doubt."""

    def unknown(*_):
        raise OSError

    assert isinstance(hooks(allow=HERE).send(hooked("http://127.0.0.1:1/"), 5).outcome, Retry)
    assert isinstance(hooks(names=unknown).send(hooked("https://x.example/"), 5).outcome, Retry)


def test_the_next_address_is_tried(receiver, hooked):
    """Of several addresses, one that refuses the connection does not count."""
    channel = hooks(allow=HERE, names=lambda *_: ["127.0.0.2", "127.0.0.1"])

    assert channel.send(hooked(receiver.url.replace("127.0.0.1", "x.example")), 5).outcome == Delivered()


def test_a_name_is_resolved_once(receiver, hooked):
    """A name that changes between check and connect gains nothing: what was checked is what is called."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    channel = hooks(allow=HERE, names=lambda *_: next(answers))

    sent = channel.send(hooked(f"http://x.example:{receiver.port}/"), 5)

    assert sent.outcome == Delivered()
    assert next(answers) == ["10.0.0.1"]


def test_one_private_address_among_many_is_enough(receiver, hooked):
    """A name with a public and a private address is refused whole."""
    channel = hooks(names=lambda *_: ["93.184.215.14", "127.0.0.1"])

    sent = channel.send(hooked("https://x.example/"), 5)

    assert sent.outcome == Failed("not an address of the public Internet", "address")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "0.0.0.0",
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
        "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "224.0.0.1", "255.255.255.255",
        "198.18.0.1", "192.0.2.1", "240.0.0.1", "168.63.129.16", "192.0.0.192",
    ],
)  # fmt: skip
def test_attacks_are_refused(hooked, host):
    """However an inner address is written, nothing is sent there, and it is not tried again."""
    sent = hooks().send(hooked(f"https://{host}/"), 5)

    assert isinstance(sent.outcome, Failed)
    assert sent.outcome.code == "address"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "//example.org/",
        "https://user:secret@example.org/", "https://user@example.org/", "https://example.org:22/",
        "https://example.org:0/", "https://example.org:99999/", "https:///path", "https://", "https://exa mple.org/",
        "https://example.org\\@127.0.0.1/", "https://example.org/\r\nX: y", "https://[fe80::1%25eth0]/", "https://[::1",
        "", "https://exa\u2028mple.org/", "https://" + "a" * 64 + ".\u00e4/",
    ],
)  # fmt: skip
def test_urls_that_are_never_called(url):
    """Only https, without user name, on a port of the web, and nothing that parsers read differently."""
    with pytest.raises(Refused):
        target(url)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("64:ff9b::5db8:d70e", True),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b:1::1", False),
        ("2001:0:53aa:64c:0:7fff:f5ff:fffe", False),
        ("fec0::1", False),
        ("192.88.99.1", False),
    ],
)
def test_public_addresses(address, public):
    """An address inside another is judged by the inner one."""
    assert is_public(ipaddress.ip_address(address)) is public


def test_a_setting_opens_one_network_only(hooked):
    """What development allows is that network, not its neighbours."""
    sent = hooks(allow=("127.0.0.0/8",)).send(hooked("http://10.0.0.1/"), 5)

    assert isinstance(sent.outcome, Failed)


class Consents:
    """Keeps who consented."""

    def __init__(self):
        self.kept = []

    def consented(self, integration_id, rate):
        self.kept.append((integration_id, rate))


@pytest.fixture
def wary():
    """A receiver of CloudEvents that consents when `allows` says so."""

    def answer(request):
        server.got.append(request.method)
        if request.method == "OPTIONS":
            return Reply(200, headers={"WebHook-Allowed-Origin": server.allows, "WebHook-Allowed-Rate": "30"})
        return Reply(204)

    server = LocalServer(answer)
    server.got, server.allows = [], "parley"
    with server:
        yield server


def test_cloudevents_go_only_to_who_consents(wary, hooked):
    """Asked first and once a week; what it allows is kept."""
    consents = Consents()
    channel = Webhooks(["key"], Pinned(allow=HERE), consents)
    fresh = hooked(wary.url, config={"format": "binary"})
    known = hooked(wary.url, config={"format": "binary"}, endpoint={"consented_at": fresh.at.isoformat()})

    outcomes = [channel.send(one, 5).outcome for one in (fresh, known)]

    assert outcomes == [Delivered(), Delivered()]
    assert (wary.got, consents.kept) == (["OPTIONS", "POST", "POST"], [("i1", 30.0)])


def test_who_does_not_consent_gets_none(wary, hooked):
    """A 200 without the header is no consent: it is disabled, and nothing is posted."""
    wary.allows = "somebody.else"

    outcome = Webhooks(["key"], Pinned(allow=HERE)).send(hooked(wary.url, config={"format": "binary"}), 5).outcome

    assert (outcome.disables, wary.got) == (True, ["OPTIONS"])


def test_retry_after_may_be_a_date(receiver, hooked):
    """The receiver's own clock is not ours: what counts is how long from now."""
    from datetime import UTC, datetime, timedelta
    from email.utils import format_datetime

    at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    receiver.answers = Reply(429, headers={"Retry-After": format_datetime(at, usegmt=True)})

    outcome = hooks(allow=HERE).send(hooked(receiver.url), 5).outcome

    assert 590 < outcome.seconds <= 600
