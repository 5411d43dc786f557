"""Sessions: conversations that go on."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from parley.api.answers import Message, MessagePage, NewSession, Session, SessionPage
from parley.client.transport import Transport

BASE = "/api/v1/sessions"


class SessionClient:
    """Conversations of the caller's."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, title: str | None = None, metadata: Mapping[str, Any] | None = None) -> Session:
        """Begin a conversation."""
        body = {"title": title, "metadata": metadata}
        return self._transport.once(Session, BASE, {n: v for n, v in body.items() if v is not None})

    def get(self, session_id: UUID | str) -> Session:
        """Give a conversation."""
        return self._transport.get(Session, f"{BASE}/{session_id}")

    def list(self, **query: Any) -> Iterator[Session]:
        """Give conversations, the latest first."""
        return self._transport.pages(SessionPage, BASE, **query)

    def messages(self, session_id: UUID | str, **query: Any) -> Iterator[Message]:
        """Give what was said, in its order (`order="desc"`: the latest first)."""
        return self._transport.pages(MessagePage, f"{BASE}/{session_id}/messages", **query)

    def update(self, session: Session, **changes: Any) -> Session:
        """Change title, metadata or status of a conversation. Raises Changed when it is not as it was read."""
        headers = {"If-Match": _etag(session)}
        return self._made(self._transport.call("PATCH", f"{BASE}/{session.session_id}", body=changes, headers=headers))

    def delete(self, session: Session) -> None:
        """Erase a conversation as it was read, with all that was said in it. Raises Changed, Conflict."""
        self._transport.call("DELETE", f"{BASE}/{session.session_id}", headers={"If-Match": _etag(session)})

    def reset(self, session_id: UUID | str) -> NewSession:
        """End a conversation and begin another one in its place."""
        return self._transport.once(NewSession, f"{BASE}/{session_id}/reset")

    def _made(self, response: Any) -> Session:
        return Session.model_validate_json(response.content)


def _etag(session: Session) -> str:
    return f'"v{session.version}"'
