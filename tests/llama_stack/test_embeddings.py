"""Embeddings of a real Llama Stack server: what is loaded is found by its meaning, and stays found when it is down."""

import json

import pytest
from shelves import Shelves

from devkit.embedding import embed
from devkit.model import Broken
from parley.adapters.embeddings import Embeddings
from parley.errors import Misconfigured, Unavailable
from parley.knowledge.load import Embedding
from parley.logs import JsonFormatter

LARGE, SMALL = "model/synthetic-384", "model/synthetic-256"
FILES = {
    "vpn.md": "# VPN\n\n## Set up on Linux\n\nInstall the package.\n\n## Error 691\n\nThe password was rejected.\n",
    "drucken.md": "# Drucken\n\n## Druckerwarteschlange\n\nStarten Sie die Warteschlange neu.\n",
}


@pytest.fixture
def embeddings(real_server, model):
    return Embeddings(real_server.url)


@pytest.fixture
def desk(database, embeddings):
    """A base that is embedded; gives what searches it."""
    shelves = Shelves(database, embeddings)
    shelves.load("desk", FILES, Embedding(embeddings, LARGE))
    return shelves


def test_texts_become_vectors_of_length_one(embeddings):
    """The server's own, in the order of the texts, whatever the language."""
    vectors = embeddings.embed(LARGE, ["A laptop", "Größe", "A laptop"])

    assert [len(vector) for vector in vectors] == [384, 384, 384]
    assert vectors[0] == vectors[2] != vectors[1]
    assert vectors[0] == pytest.approx(embed("A laptop", 384), abs=1e-6)


def test_what_shares_no_word_is_found_by_its_letters(desk):
    """The German compound has the word inside, which full text does not see."""
    [best, *_] = desk.search(["desk"], "Warteschlange vom Drucker", 3)
    assert (best.document, best.language) == ("drucken", "german")
    assert best.similarity > 0.3

    [best, *_] = desk.search(["desk"], "passwords rejecting", 3)
    assert best.anchor == "error-691"


def test_an_unchanged_base_asks_for_no_embedding_of_its_texts(desk, embeddings, model):
    """One call finds out the dimension; another base with the same text pays nothing for it, either."""
    model.reset()
    assert desk.load("desk", FILES, Embedding(embeddings, LARGE)).embedded == 0
    assert desk.load("copy", FILES, Embedding(embeddings, LARGE)).embedded == 0
    assert [len(asked["input"]) for asked in model.embedded] == [1, 1]


def test_another_model_embeds_everything_anew(desk, embeddings, database):
    """Of every base, also of those that are not loaded now; searching asks for the new model by itself."""
    desk.load("other", {"a.md": "# Badges\n\nAsk at the gate.\n"}, Embedding(embeddings, LARGE))

    loaded = desk.load("desk", FILES, Embedding(embeddings, SMALL))

    assert (loaded.changed, loaded.embedded) == (0, 4)
    [best] = desk.search(["other"], "gates", 1)
    assert best.similarity is not None
    assert database.row("active_model")["dimension"] == 256


def test_while_the_server_is_down_words_are_enough(desk, database, model, caplog):
    """A search without the embedding says so in the log, and answers."""
    down = Shelves(database, Embeddings("http://127.0.0.1:9"))

    [best] = down.search(["desk"], "Error 691", 1)

    assert (best.anchor, best.similarity) == ("error-691", None)
    said = json.loads(JsonFormatter().format(caplog.records[-1]))
    assert (said["message"], said["reason"][:31]) == ("searching by words alone", "Llama Stack cannot be reached: ")


def test_a_load_goes_on_where_it_was_cut_off(desk, database, embeddings, model):
    """What was embedded before the server broke is kept, and nothing of it is seen until all is there."""
    many = {f"{number}.md": f"# Number {number}\n\nText of number {number}.\n" for number in range(40)}
    model.reset()

    class Breaks:
        def embed(self, name, texts):
            if len(model.embedded) == 2:
                raise Unavailable("broken")
            return embeddings.embed(name, texts)

    with pytest.raises(Unavailable):
        desk.load("many", many, Embedding(Breaks(), LARGE))
    assert desk.search(["many"], "number", 9) == []

    loaded = desk.load("many", many, Embedding(embeddings, LARGE))

    assert (loaded.changed, loaded.embedded) == (40, 8)
    assert len(desk.search(["many"], "number", 50)) == 40


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_of_the_model_is_unavailable_and_retried_when_there_is_time(real_server, model, status):
    """A search does not wait; a load may."""
    model.say(*[Broken(status)] * 8)
    with pytest.raises(Unavailable):
        Embeddings(real_server.url).embed(LARGE, ["Hello"])
    model.reset()

    model.say(Broken(status))
    assert len(Embeddings(real_server.url, retries=3).embed(LARGE, ["Hello"])) == 1


def test_an_unknown_model_is_named(embeddings):
    """It is a setting, and for a person to set right."""
    with pytest.raises(Misconfigured, match=r"EMBEDDING_MODEL: .*'model/nothing'"):
        embeddings.embed("model/nothing", ["Hello"])
