"""People: how answers reach them, what was sent to them, their keys, their data. `user` is `me`, or an id."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from parley.api.answers import (
    Defaults,
    Delivery,
    DeliveryItem,
    DeliveryPage,
    Effective,
    EffectiveChannel,
    Erased,
    Export,
    Integration,
    Integrations,
    Key,
    Keys,
    NewKey,
    Receiver,
    Replay,
    RequestDeliveries,
    Secrets,
)
from parley.client.transport import Transport


class PreferenceClient:
    """By which channels answers come."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def defaults(self) -> list[Any]:
        """Give what holds for everybody who has not chosen."""
        return self._transport.get(Defaults, "/api/v1/integration-defaults").items

    def own(self, user: str = "me") -> list[Integration]:
        """Give what a person has chosen."""
        return self._transport.get(Integrations, f"/api/v1/users/{user}/integrations").items

    def effective(self, user: str = "me") -> list[EffectiveChannel]:
        """Give what holds for a person, and where each field comes from."""
        path = f"/api/v1/users/{user}/integration-defaults"
        return self._transport.get(Effective, path, explain=1).items

    def put(self, channel: str, user: str = "me", **fields: Any) -> Integration:
        """Choose for a channel; the secret of a webhook is in the first answer only."""
        path = f"/api/v1/users/{user}/integrations/{channel}"
        return Integration.model_validate_json(self._transport.call("PUT", path, body=fields).content)

    def remove(self, channel: str, user: str = "me") -> None:
        """Choose nothing for a channel any more."""
        self._transport.call("DELETE", f"/api/v1/users/{user}/integrations/{channel}")

    def receiver(self, channel: str, user: str = "me") -> Receiver:
        """Give how a receiver of a person's is: whether it is called, and what is wrong with it."""
        return self._transport.get(Receiver, f"/api/v1/users/{user}/integrations/{channel}/status")

    def rotate(self, channel: str, user: str = "me", *, overlap_seconds: int | None = None) -> Secrets:
        """Give a receiver a new secret; the one before signs, too, for a while."""
        path = f"/api/v1/users/{user}/integrations/{channel}/rotate"
        body = {} if overlap_seconds is None else {"overlap_seconds": overlap_seconds}
        return self._transport.once(Secrets, path, body)

    def enable(self, channel: str, user: str = "me") -> Receiver:
        """Call a receiver again that was disabled, or that works again."""
        path = f"/api/v1/users/{user}/integrations/{channel}/enable"
        return Receiver.model_validate_json(self._transport.call("POST", path).content)

    def replay(
        self, channel: str, since: datetime, until: datetime, user: str = "me", *, only_failed: bool = True
    ) -> int:
        """Send a receiver once more what it missed in a range of time, or all of it; gives how much."""
        path = f"/api/v1/users/{user}/integrations/{channel}/replay"
        body = {"since": since.isoformat(), "until": until.isoformat(), "only_failed": only_failed}
        return self._transport.once(Replay, path, body).count

    def reset(self, user: str = "me") -> None:
        """Choose nothing at all any more."""
        self._transport.call("POST", f"/api/v1/users/{user}/integration-defaults/reset")


class DeliveryClient:
    """What was sent."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, user: str = "me", **query: Any) -> Iterator[DeliveryItem]:
        """Give what was sent to a person, the newest first."""
        return self._transport.pages(DeliveryPage, f"/api/v1/users/{user}/deliveries", **query)

    def get(self, delivery_id: UUID | str) -> Delivery:
        """Give a delivery with its attempts."""
        return self._transport.get(Delivery, f"/api/v1/deliveries/{delivery_id}")

    def of_request(self, request_id: UUID | str) -> RequestDeliveries:
        """Give where the answer to a request went, and in words why each channel was or was not used."""
        return self._transport.get(RequestDeliveries, f"/api/v1/requests/{request_id}/deliveries")

    def redeliver(self, delivery_id: UUID | str) -> Delivery:
        """Send an answer once more."""
        return self._transport.once(Delivery, f"/api/v1/deliveries/{delivery_id}/redeliver")


class KeyClient:
    """API keys."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> list[Key]:
        """Give the caller's keys; an administrator's call gives all."""
        return self._transport.get(Keys, "/api/v1/keys").items

    def create(self, name: str, **fields: Any) -> NewKey:
        """
        Make a key; `key` is in this answer only. `fields`: role, scopes, expires_days, email.

        Raises Conflict when the answer to a first try was lost: it was made, and nobody knows it.
        """
        body = {"name": name, **{field: value for field, value in fields.items() if value is not None}}
        return self._transport.once(NewKey, "/api/v1/keys", body)

    def revoke(self, prefix: str, *, all: bool = False) -> None:  # noqa: A002 - as the API calls it
        """End a key; with `all`, also the keys that it has made, and those that they have made."""
        self._transport.call("DELETE", f"/api/v1/keys/{prefix}", query={"all": "true" if all else None})


class DataClient:
    """What is known of a person."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def export(self, user: str = "me") -> Export:
        """Give all of it."""
        return self._transport.get(Export, f"/api/v1/users/{user}/export")

    def erase(self, user: str = "me") -> Erased:
        """Erase all of it."""
        return Erased.model_validate_json(self._transport.call("DELETE", f"/api/v1/users/{user}/data").content)
