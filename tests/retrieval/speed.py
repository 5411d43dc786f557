"""How fast a search is among many chunks, and what is lost when they are not all compared."""

import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import psycopg

from devkit.embedding import MODELS, embed
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.knowledge import Knowledge, as_text
from parley.adapters.postgres.library import Library
from parley.domain import ids
from parley.domain.knowledge import digest, embedded
from retrieval.quality import rows

MODEL = "synthetic-384"
BASES = tuple(f"base{number}" for number in range(10))
RARE = "rare"  # a base with a hundredth of the chunks
CHUNKS = 10  # of a document
GROUPS = ("hr", "sales", "it")  # every third document is for one of them


@dataclass
class Corpus:
    """Made-up documents: each has a topic of sixty words, among words as rare and as frequent as a language's."""

    random: random.Random
    words: list[str] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    topics: list[list[str]] = field(default_factory=list)

    @classmethod
    def of(cls, seed: int) -> "Corpus":
        """Make the words and topics."""
        chance = random.Random(seed)
        syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
        words = sorted({"".join(chance.choices(syllables, k=chance.randint(2, 4))) for _ in range(9_000)})
        chance.shuffle(words)
        weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))
        return cls(chance, words, weights, [chance.sample(words, 60) for _ in range(500)])

    def common(self, count: int) -> list[str]:
        """Give words as they come."""
        return self.random.choices(self.words, cum_weights=self.weights, k=count)

    def question(self) -> str:
        """Four words of a topic, and four as they come."""
        return " ".join(self.random.sample(self.random.choice(self.topics), 4) + self.common(4))

    def documents(self, chunks: int) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
        """Give base, title and the heading and text of each chunk."""
        for number in range(chunks // CHUNKS):
            topic = self.random.choice(self.topics)
            base = RARE if number % 100 == 0 else BASES[number % len(BASES)]
            parts = []
            for _ in range(CHUNKS):
                text = self.common(40) + self.random.choices(topic, k=30)
                self.random.shuffle(text)
                parts.append((" ".join(self.random.sample(topic, 3)), " ".join(text)))
            yield base, " ".join(self.random.sample(topic, 3)), parts


MADE = """
create temp table made (id uuid, base text, slug text, title text, groups text[], ordinal int, heading text,
                        content text, digest bytea, embedding text)
"""
DOCUMENTS = """
insert into knowledge_documents (id, base, slug, title, digest, groups, source, chunks)
select distinct on (id) id, base, slug, title, 'x', groups, slug || '.md', %(chunks)s from made
"""
SECTIONS = """
insert into knowledge_chunks (document_id, ordinal, heading, anchor, content, digest, base, groups, model, embedding,
                              search)
select id, ordinal, heading, '', content, digest, base, groups, %(model)s, embedding::halfvec,
       setweight(knowledge_lexemes('english', heading), 'A') || setweight(knowledge_lexemes('english', title), 'B')
       || setweight(knowledge_lexemes('english', content), 'C') || array_to_tsvector(array[' ' || base])
  from made
"""


def fill(database: Database, corpus: Corpus, chunks: int) -> None:
    """Put the documents there as a load does, without a load's way through files."""
    library = Library(database, indexed_from=0)
    model = library.model(MODEL, MODELS[MODEL])
    with psycopg.connect(database.url) as connection:
        connection.execute(MADE)
        with connection.cursor().copy("copy made from stdin") as into:
            for number, (base, title, parts) in enumerate(corpus.documents(chunks)):
                key, groups = ids.new(), [GROUPS[number // 3 % 3]] if number % 3 == 0 else []
                for ordinal, (heading, text) in enumerate(parts):
                    whole = embedded(title, heading, text)
                    vector = as_text(embed(whole, MODELS[MODEL]))
                    row = (key, base, f"d{number}", title, groups, ordinal, heading, text, digest(whole), vector)
                    into.write_row(row)
        connection.execute(DOCUMENTS, {"chunks": CHUNKS})
        connection.execute(SECTIONS, {"model": model.id})
        connection.execute("update knowledge_models set active = (id = %s)", (model.id,))
    with database.transaction() as tx:
        tx.run("lock_library")
        for base in (*BASES, RARE):
            tx.run("count_words", base=base)
    library.tidy(model)
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("vacuum analyze")


@dataclass(frozen=True)
class Latency:
    """Milliseconds."""

    p50: float
    p99: float


def latency(ask: Callable[[str], object], questions: Sequence[str]) -> Latency:
    """Ask one after the other, after a tenth of them to warm up."""
    for question in questions[: max(12, len(questions) // 10)]:
        ask(question)
    taken = []
    for question in questions:
        begun = time.perf_counter()
        ask(question)
        taken.append((time.perf_counter() - begun) * 1000)
    taken.sort()
    return Latency(statistics.median(taken), taken[min(len(taken) - 1, int(len(taken) * 0.99))])


class Remembered:
    """An embedder that has embedded all its questions before: what is measured is the search."""

    def __init__(self, questions: Sequence[str]) -> None:
        self._known = {question: embed(question, MODELS[MODEL]) for question in questions}

    def embed(self, _model: str, texts: Sequence[str]) -> list[list[float]]:
        """Look up."""
        return [self._known[text] for text in texts]


@dataclass(frozen=True)
class Held:
    """The nearest ten by the index, held against the nearest ten of all. `full`: searches that gave ten."""

    recall: float
    full: float


def held(database: Database, embedder: Remembered, questions: Sequence[str], bases: Sequence[str]) -> Held:
    """Compare the index's neighbours with the true ones, under a filter."""
    model = database.row("active_model")
    assert model, "it was filled with one"
    shares, full = [], 0
    for question in questions:
        [vector] = embedder.embed("", [question])
        values = {"vector": as_text(vector), "bases": list(bases), "model": model["id"]}
        exact = rows(database, EXACT, **values)
        near = rows(database, NEAR.replace("MODEL", str(model["id"])), **values)
        full += len(near) == min(10, len(exact))
        best = {(row["document_id"], row["ordinal"]) for row in exact}
        shares.append(len(best & {(row["document_id"], row["ordinal"]) for row in near}) / len(best))
    return Held(statistics.mean(shares), full / len(questions))


EXACT = """
select document_id, ordinal from knowledge_chunks where base = any(%(bases)s) and model = %(model)s
 order by embedding <=> %(vector)s::halfvec limit 10
"""
# As the search does it: `walked` in sql/knowledge.sql.
NEAR = """
select document_id, ordinal from knowledge_chunks
 where model = MODEL and case when quarantined then false else base = any(%(bases)s) end and %(model)s > 0
   and (select set_config('hnsw.iterative_scan', 'relaxed_order', true) <> '')
 order by embedding::halfvec(384) <=> %(vector)s::halfvec(384) limit 10
"""


def searches(database: Database, questions: Sequence[str]) -> dict[str, Callable[[str], object]]:
    """Give the ways to search that are measured, by name."""
    both = Knowledge(database, Remembered(questions))
    words = Knowledge(database)
    reader = uuid.UUID(int=1)
    every = (*BASES, RARE)
    return {
        "both, all chunks": lambda question: both.search(every, question, 6, reader=reader),
        "both, 30 % of the chunks": lambda question: both.search(BASES[1:4], question, 6, reader=reader),
        "both, 10 % (compared one by one)": lambda question: both.search(BASES[1:2], question, 6, reader=reader),
        "both, 1 % (compared one by one)": lambda question: both.search((RARE,), question, 6, reader=reader),
        "words alone, all chunks": lambda question: words.search(every, question, 6, reader=reader),
    }
