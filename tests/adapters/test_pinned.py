"""
What is never reached, however its address is written or its name is answered.

Each attempt is made for real, with a connect that would tell: nothing may be connected to at all.
"""

import ipaddress
import ssl

import httpcore
import pytest

from devkit.serving import LocalServer, Reply
from parley.adapters.pinned import CAP, Pinned, Refused, is_public, target
from parley.channels.outcome import MaybeSent, NotSent
from parley.channels.post import Post

# Every block that is not the public Internet, by the registries of RFC 6890 and what clouds have inside.
INNER_4 = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "100.100.100.200",
    "127.0.0.1", "127.1.2.3", "127.255.255.254", "169.254.0.1", "169.254.169.253", "169.254.169.254", "169.254.170.2",
    "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.8", "192.0.0.170", "192.0.0.192", "192.0.2.1", "192.88.99.1",
    "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
]  # fmt: skip
INNER_6 = [
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe",
    "0:0:0:0:0:ffff:7f00:1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1",
    "64:ff9b:1::7f00:1", "100::1", "2001::1", "2001:0:53aa:64c:0:7fff:80ff:fffe", "2001:2::1", "2001:10::1",
    "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::", "2002:c0a8:101::1", "fc00::1", "fd00::1", "fd00:ec2::254",
    "fe80::1", "fe80::a9fe:a9fe", "febf::1", "fec0::1", "ff01::1", "ff02::1", "ff0e::1", "5f00::1",
]  # fmt: skip
# Other ways to write 127.0.0.1, 169.254.169.254 and 10.0.0.1 that resolvers take.
WRITTEN = [
    "2130706433", "0x7f000001", "0x7F.0x0.0x0.0x1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "0x7f.1", "0",
    "00",
    "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "0xa9.0xfe.0xa9.0xfe", "10.1", "012.0.0.1",
    "167772161", "0xa000001", "localhost", "LOCALHOST", "localhost.", "127.0.0.1.", "ip6-localhost",
    "\uff11\uff12\uff17.0.0.1", "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460", "127\u30020\u30020\u30021",
]  # fmt: skip
# URLs that parsers read differently, and those that are no business of ours.
NEVER = [
    "http://example.org/", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "//example.org/", "",
    "https://", "https:///path", "https://user:secret@example.org/", "https://user@example.org/", "https://:@example.org/",
    "https://example.org@127.0.0.1/", "https://127.0.0.1@example.org/", "https://example.org:22/", "https://example.org:0/",
    "https://example.org:6379/", "https://example.org:99999/", "https://example.org:-1/", "https://example.org:x/",
    "https://exa mple.org/", "https://example.org\\@127.0.0.1/", "https://example.org/\\..\\",
    "https://example.org/\r\nX: y",
    "https://example.org/\n", "https://example.org/\t", "https://[fe80::1%25eth0]/", "https://[::1", "https://[::1]x/",
    "https://exa\u2028mple.org/", "https://example.org/\x00", "https://" + "a" * 64 + ".\u00e4/", "javascript:alert(1)",
    "data:text/plain,x", "dict://127.0.0.1:11211/", "ldap://127.0.0.1/", "https:127.0.0.1", "https://%31%32%37.0.0.1/",
    "https://127.0.0.1%2eexample.org/", "jar:https://example.org!/", "HTTP://EXAMPLE.ORG/",
]  # fmt: skip


TLS = ssl.create_default_context()


class Untouched(httpcore.NetworkBackend):
    """Stands where connections are made: whoever makes one is told on."""

    def __init__(self):
        self.reached = []

    def connect_tcp(self, host, port, *_, **__):
        self.reached.append((host, port))
        raise httpcore.ConnectError("it was reached")


@pytest.fixture
def untouched():
    """No connection is made in this test; what is tried is kept."""
    return Untouched()


def refused(url, network, **options):
    """Try for real; true when it was refused before anything was connected to."""
    try:
        Pinned(longest=2, network=network, tls=TLS, **options).call(Post(url, {}, b"{}"), 2)
    except Refused:
        return True
    except NotSent:
        return False
    raise AssertionError("it was sent")


@pytest.mark.parametrize("address", [*INNER_4, *(f"[{one}]" for one in INNER_6)])
def test_no_inner_address_is_reached(address, untouched):
    """As the host of a URL."""
    assert refused(f"https://{address}/", untouched)
    assert untouched.reached == []


@pytest.mark.parametrize("address", [*INNER_4, *INNER_6])
def test_no_name_leads_there(address, untouched):
    """As what a name resolves to, alone or beside a public address, first or last."""
    for answers in ([address], ["93.184.215.14", address], [address, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]):
        assert refused("https://hook.example.org/", untouched, names=lambda *_, found=answers: found)
    assert untouched.reached == []


@pytest.mark.parametrize("host", WRITTEN)
def test_no_way_to_write_it_leads_there(host, untouched):
    """Decimal, octal, hexadecimal, short, full-width: refused, or a name that nobody has."""
    refused(f"https://{host}/", untouched)
    assert untouched.reached == []


@pytest.mark.parametrize("url", NEVER)
def test_no_other_url_is_called(url, untouched):
    """Only https, without user name, on a port of the web, and nothing that parsers read differently."""
    with pytest.raises(Refused):
        Pinned(network=untouched, tls=TLS).call(Post(url, {}, b""), 2)
    assert untouched.reached == []


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_public_addresses_are_tried(address, untouched):
    """The other side of it: what is public is connected to, at the address that was checked."""
    assert not refused("https://hook.example.org/", untouched, names=lambda *_: [address])
    assert [reached[0] for reached in untouched.reached] == [address]


def test_a_name_that_changes_gains_nothing(untouched):
    """Public when it is checked, inner a moment later: the address that was checked is the one that is connected to."""
    answers = iter([["93.184.215.14"], ["127.0.0.1"], ["127.0.0.1"]])

    refused("https://rebind.example.org/", untouched, names=lambda *_: next(answers))

    assert [reached[0] for reached in untouched.reached] == ["93.184.215.14"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
@pytest.mark.parametrize("where", ["http://127.0.0.1:{port}/inner", "//127.0.0.1:{port}/inner", "/inner"])
def test_no_redirect_is_followed(status, where):
    """Wherever it leads, there is one request, and its status is the answer."""
    asked = []

    def answer(request):
        asked.append(request.path)
        return Reply(status, headers={"Location": where.format(port=server.port)})

    server = LocalServer(answer)
    with server:
        got = Pinned(tls=TLS, allow=("127.0.0.0/8",)).call(Post(f"{server.url}/hook", {}, b"{}"), 5)

    assert (got.status, asked) == (status, ["/hook"])


@pytest.mark.parametrize(
    ("reply", "at_most"),
    [
        (Reply(200, b"x" * 4096, breaks="endless"), CAP),
        (Reply(200, b"x" * (CAP + 100_000)), CAP),
        (Reply(200, b"x" * 500, breaks="trickle", pace=0.1), 499),
    ],
    ids=["endless", "large", "slow"],
)
def test_bodies_are_cut(reply, at_most):
    """An endless body, a large one, one that drips: the status counts, and no more than this is read."""
    with LocalServer(lambda _: reply) as server:
        got = Pinned(tls=TLS, allow=("127.0.0.0/8",), longest=1).call(Post(server.url, {}, b"{}"), 5)

    assert got.status == 200
    assert len(got.body) <= at_most


@pytest.mark.parametrize(("reply", "doubt"), [(Reply(breaks="hang"), MaybeSent), (Reply(delay=30), MaybeSent)])
def test_silence_ends_with_the_deadline(reply, doubt):
    """Nobody is waited for beyond it, and what was sent is in doubt."""
    with LocalServer(lambda _: reply) as server, pytest.raises(doubt):
        Pinned(tls=TLS, allow=("127.0.0.0/8",), longest=0.5).call(Post(server.url, {}, b"{}"), 5)


def test_there_are_enough_of_them():
    """What is held here, counted."""
    assert 2 * len(INNER_4 + INNER_6) + len(WRITTEN) + len(NEVER) + 7 * 3 >= 150


@pytest.mark.parametrize("address", [*INNER_4, *INNER_6])
def test_the_judgement_alone(address):
    """The function that decides says the same."""
    assert not is_public(ipaddress.ip_address(address))


def test_where_it_goes_is_in_the_url_alone():
    """Name, port and path; what follows a # stays here."""
    to = target("https://hook.example.org:8443/a?b=c#d")
    assert (to.host, to.port, to.path) == ("hook.example.org", 8443, "/a?b=c")
