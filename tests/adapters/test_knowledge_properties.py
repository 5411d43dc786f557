"""What holds of every search: k rows or all rows, never a restricted one, whichever way the nearest are found."""

import os
import random
import re
from collections import Counter

import pytest
from databases import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from shelves import Shelves, Synthetic

from devkit.embedding import MODELS, embed
from parley.adapters.postgres.knowledge import Knowledge, statement
from parley.adapters.postgres.library import Library
from parley.adapters.postgres.users import Users
from parley.adapters.postgres.vectors import half
from parley.knowledge.load import Embedding

GROUPS = ("hr", "it", "sales")
BASES = ("desk", "people", "tiny")
WORDS = "laptop badge salary printer contract bonus network holiday screen key invoice travel door phone desk".split()  # noqa: SIM905
MODEL = "synthetic-256"
QUERIES = int(os.environ.get("QUERIES", "1000"))  # `make retrieval` asks 10,000


def document(number):
    """Two sections; every second document is for one or two groups."""
    chance = random.Random(number)
    groups = chance.sample(GROUPS, chance.randint(1, 2)) if number % 2 else []
    head = f"---\ngroups: {', '.join(groups)}\n---\n" if groups else ""
    parts = [f"## {chance.choice(WORDS)} {number}\n\n{' '.join(chance.choices(WORDS, k=12))}\n" for _ in range(2)]
    return head + f"# {chance.choice(WORDS).title()}\n\n" + "\n".join(parts), frozenset(groups)


@pytest.fixture(scope="module")
def shelves(module_database):
    """Three bases with 90 documents, embedded and indexed; what finds by the index, and by comparing all."""
    # So few rows would be sorted; the index is what is tried here.
    [(name,)] = run(module_database.url, "select quote_ident(current_database())")
    run(module_database.url, f"alter database {name} set enable_sort = off")
    embedder, made = Synthetic(), {}
    found = Shelves(module_database, embedder)
    for place, base in enumerate(BASES):
        made[base] = {f"{base}-{n}.md": document(100 * place + n) for n in range(4 if base == "tiny" else 43)}
        found.load(base, {name: text for name, (text, _) in made[base].items()}, Embedding(embedder, MODEL))
    model = Library(module_database).model(MODEL, MODELS[MODEL])
    Library(module_database, indexed_from=0).tidy(model)
    by_index = Knowledge(module_database, embedder, few=0)
    return (
        found,
        by_index,
        {base: {n.removesuffix(".md"): g for n, (_, g) in files.items()} for base, files in made.items()},
    )


@pytest.fixture(scope="module")
def people(module_database):
    """Three users: of no group, of one, of two."""
    users, made = Users(module_database), {}
    for name, groups in (("ann", []), ("bob", ["hr"]), ("cid", ["it", "sales"])):
        key = users.meet("api", name, email=f"{name}@example.org", name=name, timezone=None)
        with module_database.autocommit() as alone:
            alone._connection.execute("update users set groups = %s where id = %s", (groups, key))
        made[name] = (key, frozenset(groups))
    made["nobody"] = (None, frozenset())
    return made


def may_read(documents, bases, groups):
    """Count the sections that somebody of these groups may read."""
    return 2 * sum(not own or bool(own & groups) for base in bases for own in documents[base].values())


questions = st.lists(st.sampled_from([*WORDS, "unheard", "of", "42"]), min_size=1, max_size=6).map(" ".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    question=questions,
    bases=st.sets(st.sampled_from(BASES)).map(sorted),
    who=st.sampled_from(["ann", "bob", "cid", "nobody"]),
    limit=st.integers(1, 60),
    indexed=st.booleans(),
)
def test_k_rows_or_all_rows_come_under_every_filter(shelves, people, question, bases, who, limit, indexed):
    """Never one less because the index met others first, never one twice, and never one of another filter."""
    compared, by_index, documents = shelves
    key, groups = people[who]

    found = (by_index if indexed else compared).search(bases, question, limit, reader=key)

    assert len(found) == min(limit, may_read(documents, bases, groups))
    assert max(Counter((one.document, one.anchor, one.text) for one in found).values(), default=1) == 1
    owners = {name: own for base in bases for name, own in documents[base].items()}
    assert all(one.document in owners for one in found)
    assert all(not owners[one.document] or owners[one.document] & groups for one in found)


def test_a_restricted_document_is_never_shown_to_others(shelves, people):
    """Two users with different groups, at random, by words, by meaning and by both: each sees what is theirs."""
    compared, by_index, documents = shelves
    owners = {name: own for base in BASES for name, own in documents[base].items()}
    by_words = Knowledge(compared._database)
    chance = random.Random(7)
    seen = Counter()

    for number in range(QUERIES):
        who = chance.choice(["bob", "cid"])
        key, groups = people[who]
        question = " ".join(chance.choices(WORDS, k=chance.randint(1, 4)))
        bases = chance.sample(BASES, chance.randint(1, 3))
        store = (by_words, compared, by_index)[number % 3]
        for one in store.search(bases, question, 5, reader=key):
            own = owners[one.document]
            assert not own or own & groups, f"{who} was shown {one.document} for {question!r}"
            seen[who, bool(own)] += 1

    assert min(seen[who, own] for who in ("bob", "cid") for own in (True, False)) > QUERIES / 5, (
        "each saw of both kinds"
    )


def test_the_index_finds_what_comparing_all_finds(shelves, people):
    """The approximate neighbours are held against the exact ones."""
    compared, by_index, _ = shelves
    chance = random.Random(3)
    key, _ = people["cid"]
    shares = []

    for _ in range(60):
        question = " ".join(chance.choices(WORDS, k=3))
        exact = {(one.document, one.anchor, one.text) for one in compared.search(BASES, question, 10, reader=key)}
        near = {(one.document, one.anchor, one.text) for one in by_index.search(BASES, question, 10, reader=key)}
        shares.append(len(exact & near) / len(exact))

    assert sum(shares) / len(shares) > 0.95


def test_the_index_is_walked_where_it_is_tried(shelves, module_database):
    """So the tests above are about it."""
    model = module_database.row("active_model")
    values = {
        "bases": list(BASES), "question": "laptop", "reader": None, "vector": half(embed("laptop", 256)),
        "limit": 5, "depth": 40, "few": 0, "many": 1000, "words": 64,
    }  # fmt: skip

    plan = module_database.select(sql.SQL("explain (analyze, costs off) ") + statement(model), **values)

    lines = "\n".join(next(iter(row.values())) for row in plan)
    assert re.search(rf"Index Scan using knowledge_chunks_near_{model['id']} .*loops=1", lines)


def test_words_of_what_is_restricted_weigh_nothing_for_others(shelves, module_database):
    """How often a word is counts what everybody may read only: nothing else can be inferred from a score."""
    found, _, _ = shelves
    before = found.search(["tiny"], "laptop unicorn", 5)

    found.load("tiny-secret", {"a.md": "---\ngroups: hr\n---\n# A\n\nUnicorn unicorn laptop.\n"})

    assert run(module_database.url, "select from knowledge_words where base = 'tiny-secret'") == []
    assert found.search(["tiny", "tiny-secret"], "laptop unicorn", 5) == before
