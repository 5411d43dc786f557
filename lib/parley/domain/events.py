"""
The contracts: what the events between functions carry.

Each class is one CloudEvent type. Adding an optional field is compatible, anything else is a new type; so unknown
fields are ignored. Events carry ids and routing facts, no authority: handlers take every fact from the row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

CHANNEL = r"^[a-z][a-z0-9-]{0,31}$"
Channel = Annotated[str, StringConstraints(pattern=CHANNEL)]  # which there are: config/integrations.yaml
Kind = Literal["answer", "failure", "approval", "escalation", "notice"]  # what a delivery says
Id = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
Text = Annotated[str, StringConstraints(max_length=40_000, pattern=r"^[^\x00]*$")]


class Contract(BaseModel):
    """Data of one event type, with the attributes that follow from it."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    TYPE: ClassVar[str]

    def subject(self) -> str:
        """Name the thing that the event is about."""
        raise NotImplementedError

    def extensions(self) -> dict[str, str]:
        """Give the extension attributes that brokers route and order by."""
        raise NotImplementedError


MessageKind = Literal[
    "message",  # a question
    "edit", "delete",  # of the message `about`
    "action", "vote", "stop",  # decide an approval, judge an answer, end a turn: `about` names which
    "command",  # what is asked of Parley itself: `name` says what
    "opened",  # somebody looks at our place in the chat: `name` says at which
    "submitted",  # a form was filled in: `name` says which, `values` how
    "installed", "uninstalled",  # a workspace came or went
]  # fmt: skip


class File(BaseModel):
    """A file that came with a message; its content is fetched when it is needed."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    id: Id
    name: Annotated[str, StringConstraints(max_length=255)] = ""
    media_type: Annotated[str, StringConstraints(max_length=255)] = ""
    size: int = 0  # bytes


class MessageReceived(Contract):
    """
    Somebody said or did something in a chat. Signed; the one event with no row behind it yet.

    Only a `message` asks something; normalize applies every other kind at once.
    """

    TYPE: ClassVar[str] = "parley.message.received"

    kind: MessageKind
    origin: Literal["slack"]
    key: Id  # the message's or deed's identity: the same for each retry and double of it
    workspace: Id
    enterprise: Annotated[str, StringConstraints(max_length=255)] = ""  # the organisation that has us as a whole
    sender: Id
    conversation: Id  # the channel or direct-message id; a person's own id stands for direct messages with them
    thread: Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")] = ""
    # where the answer belongs: the thread's first message; empty: in the conversation itself
    is_reply: bool = False  # said inside a thread that existed already
    is_direct: bool = False
    is_mention: bool = False  # it names us; in a channel, what does not is answered only where the sender talks with us
    text: Text = ""  # may be empty: somebody only said our name
    about: Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")] = ""
    name: Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z_]*$")] = ""
    values: Mapping[Annotated[str, StringConstraints(max_length=40)], Text] = Field(default={}, max_length=40)
    files: tuple[File, ...] = Field(default=(), max_length=10)
    reply_url: Annotated[str, StringConstraints(max_length=500)] = ""  # takes an answer that only the sender sees
    view: Annotated[str, StringConstraints(max_length=255)] = ""  # the form that waits to be filled with what we know
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


class TurnStarted(Contract):
    """A turn runs: whoever can shows a sign of life where it was asked. Best effort; nothing depends on it."""

    TYPE: ClassVar[str] = "parley.turn.started"

    request_id: UUID
    session_id: UUID
    channel: Channel

    def subject(self) -> str:
        return str(self.request_id)

    def extensions(self) -> dict[str, str]:
        return {"partitionkey": str(self.session_id), "channel": self.channel}


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
