"""What a load writes: only what changed, all at once, and by one model."""

import json

import pytest
from databases import run
from pgvector import HalfVector
from psycopg import sql
from shelves import Shelves, Synthetic

from devkit.embedding import embed
from parley.adapters.postgres.knowledge import Knowledge
from parley.adapters.postgres.library import Library, Overtaken
from parley.adapters.postgres.vectors import half
from parley.domain.knowledge import Weights
from parley.errors import Unavailable
from parley.knowledge.load import Embedding, load, texts
from parley.logs import JsonFormatter

LARGE, SMALL = "synthetic-384", "synthetic-256"
VPN = "# VPN\n\n## Set up on Linux\n\nInstall the package.\n\n## Error 691\n\nThe password was rejected.\n"
WIFI = "# Wi-Fi\n\n## Guests\n\nAsk at the gate.\n"


@pytest.fixture
def embedder():
    return Synthetic()


@pytest.fixture
def shelves(database, embedder):
    return Shelves(database, embedder)


@pytest.fixture
def desk(shelves, embedder):
    """A base with two documents, embedded."""
    shelves.load("desk", {"vpn.md": VPN, "wifi.md": WIFI}, Embedding(embedder, LARGE))
    embedder.texts.clear()
    return shelves


def indexes(url):
    """The indexes of embeddings that there are."""
    names = "select indexname from pg_indexes where starts_with(indexname, 'knowledge_chunks_near') order by 1"
    return [name for (name,) in run(url, names)]


def test_a_passage_says_where_it_comes_from(desk):
    """The file, its digest, when it was loaded, in which language, and how near it is."""
    [one] = desk.search(["desk"], "Error 691", 1)

    assert (one.source, one.language, len(one.digest)) == ("vpn.md", "english", 64)
    assert one.loaded_at.tzinfo
    assert 0 < one.similarity < 1


def test_only_the_sections_that_changed_are_embedded(desk, embedder):
    """The others keep what they have, also when their document is another one now."""
    loaded = desk.load(
        "desk",
        {"vpn.md": VPN.replace("rejected", "refused"), "wifi.md": WIFI, "copy.md": WIFI},
        Embedding(embedder, LARGE),
    )

    assert (loaded.changed, loaded.embedded) == (2, 1)
    assert embedder.texts[1:] == ["VPN\nError 691\n\nThe password was refused."]


def test_half_a_load_is_never_seen(desk, database):
    """While it embeds, everything is as it was; then everything is new."""
    seen = []

    class Watches:
        def embed(self, model, texts):
            seen.append([one.text for one in desk.search(["desk"], "Error 691 password", 9)])
            return [embed(text, 384) for text in texts]

    before = [one.text for one in desk.search(["desk"], "Error 691 password", 9)]
    desk.load(
        "desk", {"vpn.md": VPN.replace("rejected", "refused"), "new.md": "# New\n\nNew."}, Embedding(Watches(), LARGE)
    )

    assert len(seen) > 1
    assert all(one == before for one in seen)
    assert "The password was refused." in [one.text for one in desk.search(["desk"], "Error 691 password", 9)]


def test_sections_without_an_embedding_are_embedded_by_the_next_load_that_can(desk, embedder):
    """Until then they are found by their words."""
    desk.load("desk", {"vpn.md": VPN, "wifi.md": WIFI, "new.md": "# Doors\n\nPush.\n"})
    found = {one.document: one.similarity for one in desk.search(["desk"], "doors password gate", 9)}
    assert found["new"] is None
    assert found["vpn"] is not None

    loaded = desk.load(
        "desk", {"vpn.md": VPN, "wifi.md": WIFI, "new.md": "# Doors\n\nPush.\n"}, Embedding(embedder, LARGE)
    )

    assert (loaded.changed, loaded.embedded) == (0, 1)
    assert all(one.similarity is not None for one in desk.search(["desk"], "doors password gate", 9))


def test_another_model_takes_everything_over_with_its_own_index(desk, embedder, database, database_url):
    """Nothing of the old one is left, nor its index, whatever base is loaded."""
    large = Library(database).model(LARGE, 384)
    Library(database, indexed_from=0).tidy(large)
    assert indexes(database_url) == [f"knowledge_chunks_near_{large.id}"]

    loaded = load(
        Library(database, indexed_from=0), "other", texts({"a.md": "# A\n\nText.\n"}), Embedding(embedder, SMALL)
    )

    small = Library(database).model(SMALL, 256)
    assert (loaded.embedded, small.active) == (4, True)
    assert run(database_url, "select distinct model, vector_dims(embedding) from knowledge_chunks") == [(small.id, 256)]
    assert indexes(database_url) == [f"knowledge_chunks_near_{small.id}"]
    assert all(one.similarity is not None for one in desk.search(["desk", "other"], "text password", 9))


def test_a_model_that_changed_behind_its_name_is_asked_anew(desk, embedder):
    """Only when it is told so: it cannot be seen."""
    files = {"vpn.md": VPN, "wifi.md": WIFI}

    assert desk.load("desk", files, Embedding(embedder, LARGE)).embedded == 0
    assert desk.load("desk", files, Embedding(embedder, LARGE, afresh=True)).embedded == 3
    assert desk.load("desk", files, Embedding(embedder, LARGE)).embedded == 0


def test_a_question_of_another_dimension_is_searched_by_its_words(desk, database, caplog):
    """The server has another model under the name: said in the log, and no error."""

    class Shorter:
        def embed(self, model, texts):
            return [embed(text, 256) for text in texts]

    [best, *_] = Knowledge(database, Shorter()).search(["desk"], "Error 691", 1)

    assert (best.anchor, best.similarity) == ("error-691", None)
    said = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert (said["message"], said["reason"][-10:]) == ("searching by words alone", "load again")


def test_few_chunks_need_no_index(desk, database_url):
    """They are compared one by one: it is exact, and as fast."""
    assert indexes(database_url) == []


def test_who_publishes_what_was_made_from_an_older_state_is_told_so(desk, database):
    """It would undo what another load has done meanwhile."""
    library = Library(database)
    seen = library.state("desk")
    desk.load("desk", {"vpn.md": VPN})

    with pytest.raises(Overtaken):
        library.publish(seen, [], ["wifi.md"], None)
    assert {one.document for one in desk.search(["desk"], "password gate", 9)} == {"vpn"}


def test_a_load_that_is_always_overtaken_gives_up(desk, database):
    """And nothing of it is there."""

    class Busy(Library):
        def publish(self, *_):
            raise Overtaken

    with pytest.raises(Unavailable, match="others are loading"):
        load(Busy(database), "desk", texts({"new.md": "# New\n\nNew.\n"}))
    assert desk.search(["desk"], "new", 9)[0].document != "new"


def test_what_is_restricted_later_is_hidden_at_once(desk, database_url):
    """Also from the index: its rows follow their document."""
    run(database_url, "update knowledge_documents set groups = '{hr}' where slug = 'vpn'")

    assert {one.document for one in desk.search(["desk"], "Error 691 password", 9)} == {"wifi"}
    assert run(database_url, "select distinct base, groups from knowledge_chunks order by 2") == [
        ("desk", []),
        ("desk", ["hr"]),
    ]


def test_vectors_are_kept_as_the_halves_that_they_were_rounded_to(database):
    """What PostgreSQL gives back is the same vector, the smallest and the largest numbers too, alone and of many."""
    vector = half([1.0, -1 / 3, 6e-8, 65504.0, 0.0])
    statement = sql.SQL("select %(one)s::halfvec::text as one, (%(many)s::halfvec[])[2]::text as second")

    [row] = database.select(sql.Composed([statement]), one=vector, many=[half([0.5]), vector])

    assert HalfVector.from_text(row["one"]) == HalfVector.from_text(row["second"]) == vector


BICYCLES = "# A\n\n## Bicycles\n\nThe facilities team lends bicycles, also overnight and at the weekend.\n"
TRAVEL = "# B\n\n## Travel\n\nHotelzimmerpreis, Firmenwagenliste.\n"


def test_words_and_meaning_count_as_much_as_the_base_says(shelves, embedder):
    """Words find what shares one, letters what shares many. To say so is enough: nothing is read or embedded again."""
    files, by = texts({"a.md": BICYCLES, "b.md": TRAVEL}), Embedding(embedder, LARGE)

    def first(weights):
        load(Library(shelves._database), "desk", files, by, weights=weights)
        return [one.document for one in shelves.search(["desk"], "Hotelzimmer Firmenwagen overnight", 2)]

    by_words, by_meaning = first(Weights(1, 0)), first(Weights(0, 1))
    assert (by_words, by_meaning) == (["a", "b"], ["b", "a"])
    before = len(embedder.texts)

    assert first(Weights(1, 0)) == by_words
    assert first(Weights(0.1, 9)) == by_meaning
    assert not any("bicycles" in text for text in embedder.texts[before:])


def test_bases_that_weigh_differently_are_searched_together(shelves, embedder):
    """All that are there are found, each with its own weight."""
    load(Library(shelves._database), "desk", texts({"vpn.md": VPN}), Embedding(embedder, LARGE), weights=Weights(1, 0))
    load(
        Library(shelves._database), "more", texts({"wifi.md": WIFI}), Embedding(embedder, LARGE), weights=Weights(0, 1)
    )

    found = shelves.search(["desk", "more"], "guests at the gate of the VPN", 9)

    assert sorted(one.anchor for one in found) == ["error-691", "guests", "set-up-on-linux"]
