"""Knowledge bases on a real PostgreSQL: loaded once for each change, searched by words."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from shelves import Shelves

from parley.domain import ids
from parley.errors import Misconfigured

VPN = "# VPN\n\n## Set up on Linux\n\nInstall the package.\n\n## Error 691\n\nThe password was rejected.\n"
PRINTING = "# Printing\n\n## Printers that do not print\n\nRestart the queue.\n"


@pytest.fixture
def knowledge(database):
    return Shelves(database)


@pytest.fixture
def desk(knowledge):
    """A base `desk` with two documents; gives what has it loaded."""
    knowledge.load("desk", {"vpn.md": VPN, "printing.md": PRINTING})
    return knowledge


@pytest.fixture
def query(database_url):
    """Read past the store; or run a statement."""

    def run(statement):
        with psycopg.connect(database_url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else None

    return run


def found(knowledge, question, *, bases=("desk",), limit=9, reader=None):
    """Where the passages stand, the best first."""
    return [(passage.document, passage.anchor) for passage in knowledge.search(bases, question, limit, reader=reader)]


# --- load ------------------------------------------------------------------------------------------------------------


def test_what_is_loaded_is_found(desk):
    """A passage says where it stands and what it says."""
    (passage,) = desk.search(["desk"], "Error 691", 9)

    assert (passage.document, passage.title, passage.heading, passage.anchor, passage.text, passage.score) == (
        ("vpn", "VPN", "Error 691", "error-691", "The password was rejected.", 1.0)
    )


def test_unchanged_files_are_left_alone(desk, query):
    """Loading again touches no row."""
    before = query("select id, loaded_at from knowledge_documents order by id")

    loaded = desk.load("desk", {"printing.md": PRINTING, "vpn.md": VPN})

    assert loaded.changed == 0
    assert query("select id, loaded_at from knowledge_documents order by id") == before


def test_a_changed_file_replaces_its_sections(desk, query):
    """Title, sections and digest are the new ones; the document stays the same row, the others as they were."""
    ids = query("select slug, id from knowledge_documents order by slug")

    loaded = desk.load("desk", {"vpn.md": "# Tunnel\n\n## Badges\n\nAsk.\n", "printing.md": PRINTING})

    assert loaded.changed == 1
    assert query("select slug, id from knowledge_documents order by slug") == ids
    assert found(desk, "Error 691") == []
    assert [p.title for p in desk.search(["desk"], "badges", 9)] == ["Tunnel"]
    assert found(desk, "restart queue") == [("printing", "printers-that-do-not-print")]


def test_a_document_without_its_file_is_removed(desk, query):
    """With all its sections."""
    loaded = desk.load("desk", {"vpn.md": VPN})

    assert loaded.changed == 0
    assert found(desk, "printers") == []
    assert query("select count(*) from knowledge_chunks") == [(2,)]


def test_a_base_can_be_emptied(desk, query):
    """No files, no documents."""
    desk.load("desk", {})

    assert query("select count(*) from knowledge_documents") == [(0,)]


def test_bases_do_not_touch_each_other(desk):
    """The same file in two bases is two documents, and removing one leaves the other."""
    desk.load("other", {"vpn.md": VPN})

    desk.load("desk", {})

    assert found(desk, "Error 691") == []
    assert found(desk, "Error 691", bases=["other"]) == [("vpn", "error-691")]


def test_a_load_that_fails_changes_nothing(desk, query):
    """All or nothing: a base is never half old and half new."""
    query("alter table knowledge_chunks add check (content <> 'Fail.')")

    with pytest.raises(psycopg.errors.CheckViolation):
        desk.load("desk", {"a.md": "# Badges\n\nAsk.\n", "b.md": "# B\n\nFail.\n"})

    assert found(desk, "badges") == []
    assert found(desk, "Error 691") == [("vpn", "error-691")]


def test_loading_at_once_is_loading_once(knowledge, query):
    """Instances that start together do not double the sections."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: knowledge.load("desk", {"printing.md": PRINTING, "vpn.md": VPN}), range(4)))

    assert query("select count(*), count(distinct (document_id, content)) from knowledge_chunks") == [(3, 3)]


# --- search ----------------------------------------------------------------------------------------------------------


def test_any_word_may_match_and_the_share_is_the_score(desk):
    """A question is no query: what it has beside costs, and excludes nothing."""
    passages = desk.search(["desk"], "Which printers do dragons and unicorns eat?", 9)

    assert [p.anchor for p in passages] == ["printers-that-do-not-print"]
    assert 0.15 < passages[0].score < 0.25, "one of four words, and not the rarest"


def test_the_passage_with_more_of_the_words_is_the_first(desk):
    """Both sections are of the VPN, one is about Linux."""
    assert found(desk, "VPN on Linux") == [("vpn", "set-up-on-linux"), ("vpn", "error-691")]


def test_a_heading_counts_more_than_the_text(knowledge):
    """Of two passages with the same words, the one that is about them comes first."""
    knowledge.load(
        "desk",
        {
            "a.md": "# A\n\n## Chairs\n\nNot for lamps, says the manual of the house.\n",
            "b.md": "# B\n\n## Lamps\n\nNot for chairs, says the manual of the house.\n",
        },
    )

    assert found(knowledge, "lamps") == [("b", "lamps"), ("a", "chairs")]


def test_words_are_found_in_their_other_forms(desk):
    """A printer is found by printers, an error by errors."""
    assert found(desk, "printer?")[0] == ("printing", "printers-that-do-not-print")
    assert found(desk, "errors") == [("vpn", "error-691")]


def test_a_section_is_found_by_the_title_of_its_document(desk):
    """It speaks of what its document is about."""
    assert ("vpn", "set-up-on-linux") in found(desk, "VPN")


def test_only_these_bases_are_searched(desk):
    """One, several, none, or one that does not exist."""
    desk.load("other", {"more.md": "# More\n\n## Error 13\n\nCall us.\n"})

    assert found(desk, "error", bases=["other"]) == [("more", "error-13")]
    assert set(found(desk, "error", bases=["desk", "other"])) == {("vpn", "error-691"), ("more", "error-13")}
    assert found(desk, "error", bases=[]) == []
    assert found(desk, "error", bases=["nowhere"]) == []


def test_no_more_than_asked_for_is_given(desk):
    """The best ones of them."""
    assert found(desk, "VPN on Linux", limit=1) == [("vpn", "set-up-on-linux")]


def test_what_is_for_a_group_is_for_its_people(desk, query):
    """Others see nothing of it, nor does nobody in particular; who leaves the group sees it no more."""
    query("update knowledge_documents set groups = '{hr,it}' where slug = 'vpn'")
    ann, bob = ids.new(), ids.new()
    query(f"insert into users (id, groups) values ('{ann}', '{{sales,it}}'), ('{bob}', '{{sales}}')")

    assert found(desk, "Error 691") == []
    assert found(desk, "Error 691", reader=bob) == found(desk, "Error 691", reader=ids.new()) == []
    assert found(desk, "Error 691", reader=ann) == [("vpn", "error-691")]

    query("update users set groups = '{}'")
    assert found(desk, "Error 691", reader=ann) == []


@pytest.mark.parametrize("question", ["", " ", "?!", "how is it and where", "bicycle"])
def test_nothing_is_found_for_nothing(desk, question):
    """No words, only common ones, or none that occurs."""
    assert found(desk, question) == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_characters="\0", codec="utf-8")) | st.text("vpn'\\&|!()<->:*/.@ e\n\"%{}$"))
@example("it's example.com/it's a\\b & | ! ( ) <-> :* '' ' E'\\\\' %s %(x)s")
@example("example.com:8080/a&b=(c)|!d a'b@example.com /etc/x:* -1.5e3")
@example("x" * 5000)
@example(" ".join(f"word{number}" for number in range(5000)))
def test_any_question_can_be_asked(desk, question):
    """Whatever people type is words to be found, never an operator and never an error."""
    passages = desk.search(["desk"], f"vpn {question}", 2)

    assert len(passages) == 2
    assert all(0 < passage.score <= 1 for passage in passages)


def test_two_files_of_one_name_are_refused(knowledge):
    with pytest.raises(Misconfigured, match=r"VPN.md and vpn.md have one name, 'vpn'"):
        knowledge.load("desk", {"VPN.md": "# A\n\nText.\n", "vpn.md": "# B\n\nMore.\n"})
