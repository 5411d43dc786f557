"""How fast a search is among many chunks, and what is lost when they are not all compared."""

import os
import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from devkit.embedding import MODELS, embed
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.knowledge import DEEP, Knowledge
from parley.adapters.postgres.library import Library
from parley.adapters.postgres.vectors import half
from parley.domain import ids
from parley.domain.knowledge import digest, embedded

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
                    vector = half(embed(whole, MODELS[MODEL]))
                    row = (key, base, f"d{number}", title, groups, ordinal, heading, text, digest(whole), vector)
                    into.write_row(row)
        connection.execute(DOCUMENTS, {"chunks": CHUNKS})
        connection.execute(SECTIONS, {"model": model.id})
        connection.execute("insert into knowledge_bases (name) select distinct base from made")
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
    """Milliseconds on the clock, and of the database server's processors: the latter know nothing of a busy machine."""

    p50: float
    p99: float
    cpu: float


def latency(ask: Callable[[str], object], questions: Sequence[str], server: int) -> Latency:
    """Ask one after the other, after a tenth of them to warm up. `server`: PostgreSQL's process."""
    for question in questions[: max(12, len(questions) // 10)]:
        ask(question)
    taken, before = [], _cpu(server)
    for question in questions:
        begun = time.perf_counter()
        ask(question)
        taken.append((time.perf_counter() - begun) * 1000)
    cpu = (_cpu(server) - before) / len(questions)
    taken.sort()
    return Latency(statistics.median(taken), taken[min(len(taken) - 1, int(len(taken) * 0.99))], cpu)


def _cpu(server: int) -> float:
    """Give the milliseconds that a server's processes have used."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == server:
            ticks += int(fields[11]) + int(fields[12])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


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


def held(database: Database, kind: str, count: int, share: int) -> Held:
    """
    Walk the index as the search does, for the nearest ten among one in `share` of the rows; compare with the truth.

    `kind`: "topics", vectors as a model's are, of few directions; or "letters", those of devkit, where all are far from
    all: the hardest that there is.
    """
    shares, full = [], 0
    with psycopg.connect(database.url, autocommit=True) as connection:
        for (vector,) in connection.execute(ASKED, (kind, count)).fetchall():
            values = {"vector": vector, "share": share}
            exact = {one[0] for one in connection.execute(EXACT.format(kind=kind), values)}
            connection.execute("set hnsw.iterative_scan = relaxed_order; set hnsw.ef_search = 100")
            near = [one[0] for one in connection.execute(NEAR.format(kind=kind), values)]
            full += len(near) == DEEP
            shares.append(len(exact & set(near)) / len(exact))
    return Held(statistics.mean(shares), full / count)


ASKED = "select embedding::text from asked where kind = %s limit %s"
EXACT = "select id from {kind} where id %% %(share)s = 0 order by embedding <=> %(vector)s::halfvec limit 10"
# As the search does it (`walked` in sql/knowledge.sql): forty places, of which the first ten are asked for here.
NEAR = f"""
select id from {{kind}} where case when id %% %(share)s = 0 then true else false end
 order by embedding::halfvec(384) <=> %(vector)s::halfvec(384) limit {DEEP}
"""


def spread(database: Database, chunks: int, questions: Sequence[str]) -> None:
    """Make the vectors that are compared, and their indexes."""
    import numpy as np

    chance = np.random.default_rng(1)
    ways, topics = chance.normal(size=(48, 384)), chance.normal(size=(500, 48))

    def topical(count: int) -> Any:
        """Near one of the topics, in one of 48 directions, and a little in any."""
        near = topics[chance.integers(500, size=count)] + 0.6 * chance.normal(size=(count, 48))
        return near @ ways / 48**0.5 + 0.25 * chance.normal(size=(count, 384))

    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("set maintenance_work_mem = '512MB'")
        connection.execute(
            "create table topics (id int, embedding halfvec); create table asked (kind text, embedding halfvec)"
        )
        connection.execute(
            "create table letters as select (row_number() over (order by document_id, ordinal))::int as id, embedding"
            " from knowledge_chunks"
        )
        with connection.cursor().copy("copy topics from stdin") as into:
            for number, vector in enumerate(topical(chunks)):
                into.write_row((number, half(list(vector))))
        with connection.cursor().copy("copy asked from stdin") as into:
            for vector in topical(len(questions)):
                into.write_row(("topics", half(list(vector))))
            for question in questions:
                into.write_row(("letters", half(embed(question, MODELS[MODEL]))))
        for kind in ("topics", "letters"):
            connection.execute(
                f"create index on {kind} using hnsw ((embedding::halfvec(384)) halfvec_cosine_ops)".encode()
            )


def searches(database: Database, questions: Sequence[str]) -> dict[str, Callable[[str], object]]:
    """Give the ways to search that are measured, by name."""
    both = Knowledge(database, Remembered(questions))
    words = Knowledge(database)
    reader = uuid.UUID(int=1)
    every = (*BASES, RARE)
    return {
        "the index alone, of all chunks": _bare(database, Remembered(questions)),
        "both, all chunks": lambda question: both.search(every, question, 6, reader=reader),
        "both, 30 % of the chunks": lambda question: both.search(BASES[1:4], question, 6, reader=reader),
        "both, 10 % (compared one by one)": lambda question: both.search(BASES[1:2], question, 6, reader=reader),
        "both, 1 % (compared one by one)": lambda question: both.search((RARE,), question, 6, reader=reader),
        "words alone, all chunks": lambda question: words.search(every, question, 6, reader=reader),
    }


def _bare(database: Database, embedder: Remembered) -> Callable[[str], object]:
    """Give the least that a search by meaning is: a walk through the index, nothing filtered, nothing joined."""
    model = database.row("active_model")
    assert model, "it was filled with one"
    statement = sql.SQL(
        "select document_id, ordinal from knowledge_chunks where model = {model}"
        " and (select set_config('hnsw.ef_search', '100', true)) <> ''"
        " order by embedding::halfvec({dimension}) <=> %(vector)s::halfvec({dimension}) limit {depth}"
    ).format(model=sql.Literal(model["id"]), dimension=sql.Literal(model["dimension"]), depth=sql.Literal(DEEP))
    return lambda question: database.select(statement, vector=half(embedder.embed(MODEL, [question])[0]))
