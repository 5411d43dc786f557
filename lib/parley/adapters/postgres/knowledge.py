"""Knowledge bases: loaded from files once for each change, searched by PostgreSQL's full text."""

import hashlib
from collections.abc import Mapping, Sequence

from parley.adapters.postgres.database import Database
from parley.domain import ids
from parley.domain.knowledge import parse_document
from parley.errors import Misconfigured
from parley.ports import Passage


class Knowledge:
    """Implements `ports.Knowledge`, and loads what it searches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def search(self, bases: Sequence[str], question: str, limit: int) -> list[Passage]:
        """Give the best passages, the best first; none when no word of the question occurs."""
        rows = self._database.rows("search_chunks", bases=list(bases), question=question, limit=limit)
        return [
            Passage(row["slug"], row["title"], row["heading"], row["anchor"], row["content"], row["share"])
            for row in rows
        ]

    def load(self, base: str, files: Mapping[str, str]) -> int:
        """
        Make a base what these files say: name to text. Returns how many documents changed.

        Idempotent and all or nothing; unchanged files are left alone, documents without a file are removed. Raises
        Misconfigured.
        """
        digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
        documents = {name: parse_document(name, text) for name, text in files.items()}
        by_slug: dict[str, str] = {}
        for name, document in documents.items():
            if (other := by_slug.setdefault(document.slug, name)) != name:
                raise Misconfigured(f"knowledge base {base}: {other} and {name} have one name, {document.slug!r}")
        with self._database.transaction() as tx:
            known = {row["slug"]: row["digest"] for row in tx.rows("document_digests", base=base)}
            changed = [name for name in files if known.get(documents[name].slug) != digests[name]]
            for name in changed:
                document = documents[name]
                row = tx.row(
                    "upsert_document",
                    id=ids.new(),
                    base=base,
                    slug=document.slug,
                    title=document.title,
                    updated=document.updated,
                    digest=digests[name],
                )
                assert row, "an upsert returns its row"
                tx.run("delete_chunks", document_id=row["id"])
                for chunk in document.chunks:
                    tx.run(
                        "insert_chunk",
                        document_id=row["id"],
                        ordinal=chunk.ordinal,
                        heading=chunk.heading,
                        anchor=chunk.anchor,
                        content=chunk.text,
                        title=document.title,
                    )
            tx.run("delete_documents_but", base=base, slugs=[document.slug for document in documents.values()])
        return len(changed)
