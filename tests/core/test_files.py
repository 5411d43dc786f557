"""Files that come with a question: read as steps of its turn, once, and known in the turns that follow."""

import pytest
from core.turning import AGENTS, Died

from parley.domain.requests import SessionWanted
from parley.domain.turn import Read
from parley.errors import Unavailable
from parley.turns import Turns

FILE = {"id": "F1", "name": "policy.pdf"}
THREAD = SessionWanted(thread="slack:T1:C1:1.1")


class Files:
    """Reads what it is told to: a text, an error to raise, or what to do."""

    def __init__(self):
        self.says, self.asked = {}, []

    def read(self, origin, file):
        self.asked.append((origin["workspace"], file["id"]))
        said = self.says.get(file["id"], f"Text of {file['id']}.")
        if isinstance(said, BaseException):
            raise said
        return said if isinstance(said, Read) else Read(file["name"], said)


@pytest.fixture
def files():
    return Files()


@pytest.fixture
def seen(engine):
    """What the engine was shown of files, call by call."""
    shown, ask = [], engine.ask

    def asking(agent, conversation, say):
        shown.append([(one.name, one.text) for one in conversation.files])
        return ask(agent, conversation, say)

    engine.ask = asking
    return shown


@pytest.fixture
def turns(store, engine, broker, planner, files):
    return lambda *, store=store, files=files: Turns(
        store, AGENTS, engine, planner, broker, owner="me", revision="r1", files=files
    )


def test_file_is_read_before_anybody_is_asked(turns, ask, files, seen, rows, standing):
    """It is a step like any other: with its place in the journal, and in the progress that is shown."""
    created = ask(files=(FILE, {"id": "F2", "name": "b.txt"}))

    turns()(created)

    assert standing(created)["state"] == "completed"
    assert seen == [[("policy.pdf", "Text of F1."), ("b.txt", "Text of F2.")]]
    assert files.asked == [("T1", "F1"), ("T1", "F2")]
    assert [row["kind"] for row in rows("select kind from steps order by step")] == ["file", "file", "model"]
    told = rows("select data from request_events where data->>'kind' = 'file' order by seq")
    assert [(one["data"]["name"], one["data"]["state"]) for one in told][:2] == [
        ("policy.pdf", "started"), ("policy.pdf", "done"),
    ]  # fmt: skip


def test_what_was_read_is_not_read_again_after_a_crash(turns, ask, files, engine, seen, impatient):
    """The process dies while it asks the model; the next one has the file from the journal."""
    created = ask(files=(FILE,))
    engine.script = [Died()]
    with pytest.raises(Died):
        turns(store=impatient)(created)

    turns(store=impatient)(created)

    assert files.asked == [("T1", "F1")]
    assert seen[0] == seen[1] == [("policy.pdf", "Text of F1.")]


def test_file_that_cannot_be_fetched_now_is_waited_for(turns, ask, files, seen, standing):
    """The turn is given back before the broker hears 503; the next try finds the file."""
    created = ask(files=(FILE,))
    files.says["F1"] = Unavailable("a file cannot be fetched")
    with pytest.raises(Unavailable):
        turns()(created)
    assert (standing(created)["state"], seen) == ("queued", [])

    files.says.clear()
    turns()(created)

    assert seen == [[("policy.pdf", "Text of F1.")]]


def test_file_that_cannot_be_fetched_for_minutes_is_gone_without(turns, ask, files, rows, standing):
    """The question is answered all the same, and the answer says what it does not rest on."""
    created = ask(files=(FILE,))
    files.says["F1"] = Unavailable("a file cannot be fetched")
    with pytest.raises(Unavailable):
        turns()(created)
    rows("update requests set started_at = started_at - interval '3 minutes'")

    turns()(created)

    said = standing(created)["result"]["text"]
    assert said == "Yes.\n\n_I could not read policy.pdf: it cannot be fetched now._"


def test_person_is_told_what_was_not_read_and_a_name_is_only_a_name(turns, ask, files, standing):
    """Whatever the model says; and the name of a file leads nowhere."""
    created = ask(files=(FILE,))
    files.says["F1"] = Read("[x](https://evil.example)\n# _y_.png", fault="it is neither text nor PDF")

    turns()(created)

    assert standing(created)["result"]["text"].endswith(
        "_I could not read x (https evil.example) _y_.png: it is neither text nor PDF._"
    )


def test_without_a_reader_it_is_said(turns, ask, standing):
    """Where no model answers, files are not even fetched."""
    created = ask(files=(FILE,))

    turns(files=None)(created)

    assert "I could not read policy.pdf: files are read only where" in standing(created)["result"]["text"]


def test_what_was_read_taints_the_session(turns, ask, rows):
    """Anybody may have written it: from now on nothing is changed without a person."""
    turns()(ask(files=(FILE,)))

    assert rows("select tainted from sessions") == [{"tainted": True}]


def test_what_could_not_be_read_taints_nothing(turns, ask, files, rows):
    files.says["F1"] = Read("a.png", fault="it is neither text nor PDF")

    turns()(ask(files=(FILE,)))

    assert rows("select tainted from sessions") == [{"tainted": False}]


def test_next_question_of_the_session_knows_the_file(turns, ask, files, seen):
    """Until the person starts over; it is fetched once."""
    turns()(ask("What does it say?", files=(FILE,)))
    turns()(ask("And on page two?", files=({"id": "F2", "name": "b.txt"},)))
    turns()(ask("start over"))
    turns()(ask("What did it say?"))

    both = [("policy.pdf", "Text of F1."), ("b.txt", "Text of F2.")]
    assert seen == [both[:1], both, []]
    assert files.asked == [("T1", "F1"), ("T1", "F2")]


def test_files_of_another_session_are_not_known(turns, ask, seen):
    turns()(ask(files=(FILE,)))
    turns()(ask("What is it?", session=SessionWanted(thread="slack:T1:C1:2.2")))

    assert seen[1] == []


def test_files_of_messages_that_are_answered_together_are_read_together(turns, ask, seen):
    """Each message of the set may have brought some."""
    first = ask("Look at this", files=(FILE,), coalesce=True)
    ask("and that", files=({"id": "F2", "name": "b.txt"},), coalesce=True)

    turns()(first)
    turns()(ask("What were they?"))

    both = [("policy.pdf", "Text of F1."), ("b.txt", "Text of F2.")]
    assert seen == [both, both]


def test_erased_request_has_no_files_left(turns, ask, database, rows):
    """Neither their names nor their text."""
    from parley.adapters.postgres.privacy import Privacy

    created = ask(files=(FILE,))
    turns()(created)

    Privacy(database).erase_request(created.request_id)

    assert rows("select files from requests") == [{"files": []}]
    assert rows("select step from steps") == []
