"""normalize on a real PostgreSQL: one request per message, the right user and session."""

from dataclasses import dataclass

import pytest

from parley import envelope
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.users import Users
from parley.domain.events import MessageReceived
from parley.errors import Rejected, Unavailable
from parley.intake import Intake


@dataclass
class Person:
    email: str | None = "ann@example.org"
    name: str = "Ann"
    timezone: str | None = "Europe/Berlin"


class Directory:
    """Slack's people; counts how often it is asked, and can be down."""

    def __init__(self):
        self.asked = 0
        self.people = {}
        self.is_down = False

    def profile(self, workspace, enterprise, user):
        self.asked += 1
        if self.is_down:
            raise Unavailable("users.info: Slack cannot be reached")
        return self.people.get(user, Person())


@pytest.fixture
def directory():
    return Directory()


@pytest.fixture
def intake(database, directory):
    return Intake(Users(database), Requests(database), directory, ["key"], deeds=lambda *_: None)


@pytest.fixture
def said():
    """A message; changes make it another."""

    def make(text="How old?", ts="1.1", **changes):
        base = {
            "kind": "message", "origin": "slack", "key": f"slack:T1:C1:{ts}", "workspace": "T1", "sender": "U1",
            "conversation": "C1", "thread": ts, "is_reply": False, "is_direct": False, "is_mention": True, "text": text,
        }  # fmt: skip
        return MessageReceived.model_validate({**base, **changes})

    return make


def rows(database_url, query):
    import psycopg

    with psycopg.connect(database_url) as connection:
        return connection.execute(query).fetchall()


def test_message_becomes_a_request(intake, said, database_url):
    """The row has content, thread and address; the event names it and keeps the trace."""
    emit = intake(said(traceparent="00-a-b-01"))

    [(id_, content, thread, origin)] = rows(database_url, "select id, content, thread, origin from requests")
    assert emit.contract.request_id == id_
    assert emit.traceparent == "00-a-b-01"
    assert (content, thread) == ("How old?", "slack:T1:C1:1.1")
    assert origin == {"channel": "slack", "workspace": "T1", "conversation": "C1", "thread": "1.1", "user": "U1"}


def test_message_that_comes_again_is_one_request_and_the_same_event(intake, said, database_url):
    """A redelivered event, and the double of a mention, find the row; the nudge is the same."""
    first, again = intake(said()), intake(said())

    assert first == again
    assert rows(database_url, "select count(*) from requests") == [(1,)]


def test_person_is_looked_up_once(intake, said, directory, database_url):
    """Slack is asked for a profile at the first meeting only."""
    intake(said(ts="1.1"))
    intake(said(ts="2.2"))

    assert directory.asked == 1
    assert rows(database_url, "select email, display_name, timezone from users") == [
        ("ann@example.org", "Ann", "Europe/Berlin")
    ]


def test_two_identities_with_one_address_are_one_user(intake, said, directory, database_url):
    """The e-mail address makes somebody the same person in two workspaces, however it is spelt."""
    directory.people["U9"] = Person(email="ANN@example.org")

    intake(said())
    intake(said(ts="2.2", workspace="T2", sender="U9", key="slack:T2:C1:2.2"))

    assert rows(database_url, "select count(*) from users") == [(1,)]
    assert rows(database_url, "select count(*) from user_identities where kind = 'slack'") == [(2,)]


def test_person_without_address_is_a_user_too(intake, said, directory, database_url):
    """A profile may hide the e-mail address."""
    directory.people["U1"] = Person(email=None, name="")

    intake(said())

    assert rows(database_url, "select email from users") == [(None,)]


def test_reply_in_a_thread_without_our_name_counts_only_from_who_asked_there(intake, said, directory, database_url):
    """People who talk with each other in a thread are left alone; whoever asked there goes on without a mention."""
    reply = {"thread": "1.1", "is_reply": True, "is_mention": False}
    directory.people["U2"] = Person(email="bob@example.org", name="Bob")
    intake(said(ts="1.1"))

    own = intake(said("And in Spain?", ts="1.2", **reply))
    others = intake(said("I agree", ts="1.3", sender="U2", key="slack:T1:C1:1.3", **reply))

    assert own is not None
    assert others is None
    assert rows(database_url, "select seq, content from requests order by seq") == [
        (1, "How old?"),
        (2, "And in Spain?"),
    ]


def test_nothing_is_stored_while_slack_cannot_say_who_it_is(intake, said, directory, database_url):
    """Unavailable: the broker holds the message and comes again."""
    directory.is_down = True

    with pytest.raises(Unavailable):
        intake(said())

    assert rows(database_url, "select count(*) from users") == [(0,)]


def test_event_of_nobody_we_know_is_refused(intake, said):
    """Only slack-ingest holds the key; an event injected into the broker is not believed."""
    event = envelope.Event("1", "/x", MessageReceived.TYPE, body=envelope.dumps(said().model_dump(mode="json")))

    with pytest.raises(Rejected):
        intake.guard(event)

    intake.guard(envelope.signed(event, "key"))
