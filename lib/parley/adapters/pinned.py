"""
Requests to a URL that a user gave: only to addresses of the public Internet, and only to the one that was checked.

The name is resolved once; if any of its addresses is not public, nothing is sent; the connection goes to the checked
address while TLS and Host keep the name, so a name that changes between check and connect gains nothing. No redirect is
followed, no proxy is used, the whole exchange has a deadline and the answer a cap.
"""

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpcore

from parley.channels.outcome import MaybeSent, NotSent
from parley.channels.post import Post, Reply

CAP = 64 << 10  # bytes of an answer that are read
LONGEST = 30.0  # seconds of one exchange
PORTS = frozenset({80, 443, 8443})

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Iterable[str]]

# Embeddings of IPv4 in IPv6: the inner address is what will be reached.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_CLOSED = [
    ipaddress.ip_network(network)
    for network in (
        "64:ff9b:1::/48",  # NAT64 of local use
        "::/96",  # IPv4-compatible, obsolete
        "fec0::/10",  # site-local, obsolete
        "5f00::/16",  # segment routing
        "192.0.0.0/24",  # protocol assignments: older Pythons call most of them global
        "192.88.99.0/24",  # 6to4 relays, obsolete
        "168.63.129.16/32",  # Azure's host
    )
]


class Refused(Exception):
    """The URL leads where we do not go. The text is ours."""


@dataclass(frozen=True)
class Target:
    """Where a URL leads; `path` with its query, percent-encoded."""

    scheme: str
    host: str
    port: int
    path: str


def is_public(address: IpAddress, allowed: Sequence[Network] = ()) -> bool:
    """Whether an address is one of the public Internet's, or of the networks that are allowed by setting."""
    if any(address in network for network in allowed):
        return True
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is None and (inner := _inner(address)):
        return is_public(inner, allowed)
    if any(address in network for network in _CLOSED) or getattr(address, "scope_id", None):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def target(url: str, *, private: bool = False) -> Target:
    """
    Read a URL that may be called at all: https, without user name, on a port of the web.

    `private`: networks of our own are allowed, and with them http and any port. Raises Refused.
    """
    if not url.isprintable() or any(c in url for c in " \\"):
        raise Refused("the URL is not valid")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError:
        raise Refused("the URL is not valid") from None
    if not name or "%" in name or parts.username is not None or parts.password is not None:
        raise Refused("the URL is not valid")
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise Refused("the URL must be https")
    port = port if port is not None else (443 if parts.scheme == "https" else 80)
    if port not in PORTS and not private:
        raise Refused("that port is not allowed")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (f"?{_query(parts.query)}" if parts.query else "")
    return Target(parts.scheme, name, port, path)


def _query(text: str) -> str:
    return quote(text, safe="/%:@!$&'()*+,;=~-._?")


def resolve(host: str, port: int) -> list[str]:
    """Give every address of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class PinnedBackend(httpcore.NetworkBackend):
    """For one exchange: resolves once, checks every address, connects to a checked one, keeps the deadline."""

    def __init__(
        self, allowed: Sequence[Network], names: Resolve, seconds: float, network: httpcore.NetworkBackend
    ) -> None:
        self._allowed = allowed
        self._names = names
        self._end = time.monotonic() + seconds
        self._backend = network

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline is one for all steps
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._addresses(host, port)
        for place, address in enumerate(addresses, start=1):
            seconds = _left(self._end, httpcore.ConnectTimeout)
            try:
                stream = self._backend.connect_tcp(address, port, min(seconds, 5.0), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if place == len(addresses):
                    raise
            else:
                return _Deadlined(stream, self._end)
        raise httpcore.ConnectError("the name has no address")

    def _addresses(self, host: str, port: int) -> list[str]:
        found = _within(_left(self._end, httpcore.ConnectTimeout), lambda: list(self._names(host, port)))
        try:
            addresses = [ipaddress.ip_address(text) for text in found]
        except ValueError:
            raise Refused("not an address of the public Internet") from None
        if not all(is_public(address, self._allowed) for address in addresses):
            raise Refused("not an address of the public Internet")
        return [str(address) for address in addresses]


class _Deadlined(httpcore.NetworkStream):
    """A stream on which nothing starts or waits beyond the deadline of the exchange: a trickle does not extend it."""

    def __init__(self, stream: httpcore.NetworkStream, end: float) -> None:
        self._stream = stream
        self._end = end

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - one deadline for all
        return self._stream.read(max_bytes, _left(self._end, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - one deadline for all
        self._stream.write(buffer, _left(self._end, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        seconds = min(timeout or LONGEST, _left(self._end, httpcore.ConnectTimeout))
        return _Deadlined(self._stream.start_tls(ssl_context, server_hostname, seconds), self._end)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class Pinned:
    """
    Makes requests.

    `allow` opens networks of our own (CIDR), for development, and with them http and any port. `tls` trusts other
    authorities than the system's. `longest`: seconds that an exchange may take, the name's look-up included.
    `network` is what connects.
    """

    def __init__(
        self,
        *,
        allow: Sequence[str] = (),
        names: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        longest: float = LONGEST,
        network: httpcore.NetworkBackend | None = None,
    ) -> None:
        self._network = network or httpcore.SyncBackend()
        self._allowed = [ipaddress.ip_network(network) for network in allow]
        self._names = names
        self._tls = tls
        self._longest = longest
        self._lock = threading.Lock()

    def check(self, url: str) -> None:
        """Raise Refused for a URL that is never called, as far as it can be told without looking up its name."""
        to = target(url, private=bool(self._allowed))
        with suppress(ValueError):
            if not is_public(ipaddress.ip_address(to.host), self._allowed):
                raise Refused("not an address of the public Internet")

    def call(self, post: Post, timeout: float) -> Reply:
        """Make one request. Raises Refused, NotSent, MaybeSent."""
        to = target(post.url, private=bool(self._allowed))
        backend = PinnedBackend(self._allowed, self._names, min(timeout, self._longest), self._network)
        url = httpcore.URL(scheme=to.scheme, host=to.host, port=to.port, target=to.path)
        headers = list(post.headers.items())
        with httpcore.ConnectionPool(ssl_context=self._context(), retries=0, network_backend=backend) as pool:
            try:
                with pool.stream(post.method, url, headers=headers, content=post.body) as response:
                    body = b""
                    with suppress(httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
                        body = _read(response)
                    return Reply(response.status, _headers(response.headers), body)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                raise NotSent("the receiver cannot be reached") from error
            except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
                raise MaybeSent("the receiver's answer was lost") from error

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = ssl.create_default_context()
            return self._tls


def _read(response: httpcore.Response) -> bytes:
    """Read the body as far as it matters: the status has come, so what follows is only courtesy."""
    body = b""
    for part in response.iter_stream():
        body += part
        if len(body) > CAP:
            return body[:CAP]
    return body


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("ascii", "replace").lower(): value.decode("latin-1") for name, value in raw}


def _left(end: float, late: type[Exception]) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise late("the exchange took too long")
    return left


def _within[T](seconds: float, work: Callable[[], T]) -> T:
    """Run a look-up that knows no timeout in a thread of its own. Raises ConnectError, ConnectTimeout."""
    done: queue.SimpleQueue[T | OSError | UnicodeError] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put(work())
        except (OSError, UnicodeError) as error:
            done.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        found = done.get(timeout=seconds)
    except queue.Empty:
        raise httpcore.ConnectTimeout("the name could not be resolved in time") from None
    if isinstance(found, (OSError, UnicodeError)):
        raise httpcore.ConnectError("the name cannot be resolved") from None
    return found
