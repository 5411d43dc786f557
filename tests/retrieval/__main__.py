"""
Measure and print: `make retrieval`, or `make retrieval ARGS="--chunks 50000 --questions 400"`.

Everything runs on this machine, with a PostgreSQL of its own. The embeddings are synthetic; `ARGS=--real` adds the
figures of quality with a small real model (130 MB, installed once, English), and leaves speed out.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from devkit.embedding import embed
from devkit.minilm import MiniLm
from parley.adapters.postgres import migrate
from parley.adapters.postgres.database import Database
from parley.ports import Embedder
from retrieval import quality, speed
from standalone.postgres import EmbeddedPostgres

console = Console(width=None if sys.stdout.isatty() else 120)


class Synthetic:
    """The embeddings of devkit, without a server."""

    def embed(self, _model: str, texts: list[str]) -> list[list[float]]:
        """Embed."""
        return [embed(text, 384) for text in texts]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="retrieval")
    parser.add_argument("--chunks", type=int, default=50_000)
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--real", action="store_true", help="quality only, by synthetic embeddings and by a real model")
    options = parser.parse_args()
    _show_quality(Synthetic(), speed.MODEL, "synthetic")
    if options.real:
        with MiniLm() as real:
            _show_quality(real, "all-minilm-l6-v2", "all-MiniLM-L6-v2, a model of English")
        return
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "p", durable=False) as postgres:
        url = postgres.start()
        migrate.apply(url)
        database = Database(url, name="retrieval")
        _show_speed(database, options.chunks, options.questions, postgres.pid or 0)
        database.close()


def _show_quality(embedder: Embedder, model: str, label: str) -> None:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "p", durable=False) as postgres:
        url = postgres.start()
        migrate.apply(url)
        database = Database(url, name="retrieval")
        _show_figures(database, embedder, model, label)
        database.close()


def _show_figures(database: Database, embedder: Embedder, model: str, label: str) -> None:
    sections = quality.fill(database, embedder, model)
    asked = quality.questions()
    table = Table(title=f"{sections} sections in three languages (embeddings: {label})", title_justify="left")
    for name in ("", "questions", "first place", "recall@5", "MRR@10"):
        table.add_column(name, justify="right" if name else "left")
    ways = {
        "words": quality.by_words(database),
        "embeddings": quality.by_embeddings(database, embedder),
        "both": quality.by_both(database, embedder),
    }
    full = [one for one in asked if one.document]
    parts = {language: [one for one in full if one.language == language] for language in quality.LANGUAGES}
    parts = {"all": full, **parts, "the half that chose the weights": [one for one in full if quality.chosen_by(one)]}
    parts["the other half"] = [one for one in full if not quality.chosen_by(one)]
    for part, some in parts.items():
        for name, find in ways.items():
            found = quality.figures(find, some)
            shown = (f"{found.first:.3f}", f"{found.recall:.3f}", f"{found.mrr:.3f}")
            table.add_row(f"{part}: {name}", str(found.questions), *shown)
    console.print(table)
    silent, answered = quality.silence(database, asked)
    console.print(
        f"Without a model: {silent:.0%} of the questions that nothing answers get no answer,"
        f" {answered:.0%} of the others get one.\n"
    )


def _show_speed(database: Database, chunks: int, count: int, server: int) -> None:
    corpus = speed.Corpus.of(1)
    console.print(f"[dim]making {chunks} chunks …[/dim]")
    speed.fill(database, corpus, chunks)
    questions = [corpus.question() for _ in range(count)]
    table = Table(title=f"A search among {chunks} chunks, one at a time: milliseconds", title_justify="left")
    for name in ("", "p50", "p99", "of the server's CPU", "CPU, as a multiple of the index alone"):
        table.add_column(name, justify="right" if name else "left")
    bare = 0.0
    for name, ask in speed.searches(database, questions).items():
        taken = speed.latency(ask, questions, server)
        bare = bare or taken.cpu  # the first one is the index alone
        table.add_row(name, f"{taken.p50:.1f}", f"{taken.p99:.1f}", f"{taken.cpu:.1f}", f"{taken.cpu / bare:.1f}")
    console.print(table)
    some = questions[: max(20, count // 4)]
    speed.spread(database, chunks, some)
    table = Table(title="The nearest ten, by the index and by comparing all", title_justify="left")
    for name in ("vectors", "of the rows", "found by the index", "searches that gave all"):
        table.add_column(name, justify="right" if name != "vectors" else "left")
    for kind in ("topics", "letters"):
        for share in (1, 3, 10):
            found = speed.held(database, kind, len(some), share)
            table.add_row(kind, f"1/{share}", f"{found.recall:.3f}", f"{found.full:.0%}")
    console.print(table)


if __name__ == "__main__":
    main()
