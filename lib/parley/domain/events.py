"""
The contracts: what the events between functions carry.

Each class is one CloudEvent type. Adding an optional field is compatible, anything else is a new type; so unknown
fields are ignored. Events carry ids and routing facts, no authority: handlers take every fact from the row.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints

Channel = Literal["slack", "email", "sms", "webhook", "test"]
Kind = Literal["answer", "failure", "approval", "escalation"]  # what a delivery says
Id = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
Text = Annotated[str, StringConstraints(max_length=40_000, pattern=r"^[^\x00]*$")]


class Contract(BaseModel):
    """Data of one event type, with the attributes that follow from it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    TYPE: ClassVar[str]

    def subject(self) -> str:
        """Name the thing that the event is about."""
        raise NotImplementedError

    def extensions(self) -> dict[str, str]:
        """Give the extension attributes that brokers route and order by."""
        raise NotImplementedError


class MessageReceived(Contract):
    """Somebody said something in a chat. Signed; the one event with no row behind it yet."""

    TYPE: ClassVar[str] = "parley.message.received"

    kind: Literal["message"]
    origin: Literal["slack"]
    key: Id  # the message's identity: the same for each retry and double of it
    workspace: Id
    sender: Id
    conversation: Id  # the channel or direct-message id
    thread: Id  # where the answer belongs: the thread's first message
    is_reply: bool  # said inside a thread that existed already
    is_direct: bool
    is_mention: bool  # it names us; in a channel, what does not is answered only where the sender talks with us already
    text: Text  # may be empty: somebody only said our name
    traceparent: str | None = None

    def subject(self) -> str:
        return self.key

    def extensions(self) -> dict[str, str]:
        return {"partitionkey": f"{self.workspace}:{self.conversation}"}


class RequestCreated(Contract):
    """A request waits to be answered; also the nudge to go on with one."""

    TYPE: ClassVar[str] = "parley.request.created"

    request_id: UUID
    session_id: UUID

    def subject(self) -> str:
        return str(self.request_id)

    def extensions(self) -> dict[str, str]:
        return {"partitionkey": str(self.session_id)}


class ResponseReady(Contract):
    """A delivery is due on one channel; also the nudge to go on with it."""

    TYPE: ClassVar[str] = "parley.response.ready"

    request_id: UUID
    delivery_id: UUID
    session_id: UUID
    channel: Channel
    kind: Kind = "answer"

    def subject(self) -> str:
        return str(self.delivery_id)

    def extensions(self) -> dict[str, str]:
        return {"partitionkey": str(self.session_id), "channel": self.channel}


@dataclass(frozen=True)
class Emit:
    """An event to publish or to reply with. Its id derives from type, subject and `cause` (such as `nudge 3`)."""

    contract: Contract
    cause: str
    traceparent: str | None = None
