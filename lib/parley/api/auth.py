"""Who calls: an API key or a token in `Authorization: Bearer`, and for whom, when a service acts for somebody."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import flask

from parley.adapters.postgres.api import Keys
from parley.adapters.postgres.users import Users
from parley.api.problems import Problem
from parley.domain.keys import Principal

Door = Callable[[flask.Request], Principal | None]


class Tokens(Protocol):
    """Who issues tokens."""

    def principal(self, token: str) -> Principal | None:
        """Give whose token this is, None when it is not valid. Raises Unavailable."""


class Doorkeeper:
    """
    Finds out who calls. Without a door that opens there is no way in.

    `doors` are tried in order when there is no `Authorization`, such as the cookie of a page; each gives None for a
    call that is not its own.
    """

    def __init__(self, keys: Keys, users: Users, *, tokens: Tokens | None = None, doors: Sequence[Door] = ()) -> None:
        self._keys = keys
        self._users = users
        self._tokens = tokens
        self._doors = tuple(doors)

    def principal(self, request: flask.Request) -> Principal:
        """Give who calls. Raises Problem."""
        found = self._bearer(request) if "Authorization" in request.headers else self._by_door(request)
        if found is None:
            raise Problem("unauthenticated", headers={"WWW-Authenticate": 'Bearer realm="parley"'})
        return found

    def acting_for(self, who: Principal, email: str) -> Principal:
        """Give the user with this address as whom a service acts from now on. Raises Problem."""
        if who.role != "service" or who.actor_id:
            raise Problem("forbidden", detail="Only a service key may act for somebody else.")
        address = email.lower()
        user_id = self._users.known("email", address)
        if user_id and self._keys.is_staff(user_id):
            raise Problem("forbidden", detail="Nobody acts for the support or an admin.")
        user_id = user_id or self._users.meet("email", address, email=address, name="", timezone=None)
        return replace(who, user_id=user_id, actor_id=who.user_id)

    def _bearer(self, request: flask.Request) -> Principal | None:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            return None
        if self._tokens and secret.count(".") == 2:
            return self._tokens.principal(secret)
        return self._keys.principal(secret)

    def _by_door(self, request: flask.Request) -> Principal | None:
        for door in self._doors:
            if found := door(request):
                return found
        return None
