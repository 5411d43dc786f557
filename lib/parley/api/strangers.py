"""
How often those may call whom nobody knows: on the routes that ask for no key, and with a key that opens nothing.

By address, and so only where a proxy that we trust says whose it is. A bucket for each, in this instance's memory: it
stands in front of the database, and an attacker who is sent to another instance finds another small bucket.
"""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

import flask

from parley.errors import Misconfigured

MOST = 10_000  # addresses that are remembered; whoever was away longest is forgotten first

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Strangers:
    """Buckets of `burst` calls, refilled with `per_minute`. `proxies`: networks of those who tell the truth."""

    def __init__(
        self, proxies: Iterable[str], *, per_minute: int, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises Misconfigured."""
        try:
            self._proxies: tuple[_Network, ...] = tuple(map(ipaddress.ip_network, proxies))
        except ValueError:
            raise Misconfigured("TRUSTED_PROXIES: each is a network, such as 10.0.0.0/8") from None
        self.per_minute = per_minute
        self.burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wider(self, times: int) -> "Strangers":
        """Give buckets of their own, for those who may call so many times as often."""
        more = {"per_minute": self.per_minute * times, "burst": self.burst * times}
        return Strangers(map(str, self._proxies), **more, clock=self._clock)

    def take(self, request: flask.Request) -> tuple[bool, float] | None:
        """Take one call of whoever this is. Gives whether it was there, and how many are left; None: not counted."""
        if not self._proxies:
            return None
        name, now = self._name(request), self._clock()
        with self._lock:
            tokens, at = self._buckets.pop(name, (float(self.burst), now))
            tokens = min(self.burst, tokens + (now - at) * self.per_minute / 60)
            allowed = tokens >= 1
            self._buckets[name] = (tokens - allowed, now)
            if len(self._buckets) > MOST:
                self._buckets.popitem(last=False)
        return allowed, tokens - allowed

    def _name(self, request: flask.Request) -> str:
        """Give the nearest address that is no proxy of ours; of IPv6, the network that one customer has."""
        said = request.headers.get("X-Forwarded-For", "").split(",")
        for text in (request.remote_addr or "", *reversed(said)):
            try:
                address = ipaddress.ip_address(text.strip())
            except ValueError:
                break
            if not (address.is_loopback or any(address in network for network in self._proxies)):
                return str(address if address.version == 4 else ipaddress.ip_network((address, 64), strict=False))
        return "unknown"
