"""All of the API, by resource."""

from types import TracebackType
from typing import Any, Self

from parley.api.answers import Me
from parley.client.admin import AdminClient
from parley.client.people import DataClient, DeliveryClient, KeyClient, PreferenceClient
from parley.client.requests import RequestClient
from parley.client.sessions import SessionClient
from parley.client.transport import Transport


class Parley:
    """An installation, by its address and a key; a context that closes its connections. `settings`: see `Transport`."""

    def __init__(self, url: str, key: str, **settings: Any) -> None:
        self._transport = Transport(url, key, **settings)
        self.requests = RequestClient(self._transport)
        self.sessions = SessionClient(self._transport)
        self.preferences = PreferenceClient(self._transport)
        self.deliveries = DeliveryClient(self._transport)
        self.keys = KeyClient(self._transport)
        self.data = DataClient(self._transport)
        self.admin = AdminClient(self._transport)

    def me(self) -> Me:
        """Say who the key is."""
        return self._transport.get(Me, "/api/v1/me")

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
