"""
Knowledge bases of DATABASE_URL: `make knowledge ARGS="…"`.

    load FOLDER …                       make each base, named like its folder, what its files say
    list [BASE]                         what is loaded, and from where
    search BASE QUESTION                what is found, and why
    quarantine BASE SOURCE --reason …   show nobody what comes from a file, or from a folder/
    release BASE SOURCE                 show it again

With LLAMA_STACK_URL and EMBEDDING_MODEL, texts are found by their meaning as well.
"""

import argparse
import dataclasses
import getpass
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from parley import config
from parley.adapters.embeddings import Embeddings
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.knowledge import Knowledge
from parley.adapters.postgres.library import Library
from parley.errors import Misconfigured, Unavailable
from parley.knowledge.embedding import Embedded, embedding
from parley.knowledge.folder import look
from parley.knowledge.load import Loaded, load

MIN_SCHEMA = 14


@dataclass(frozen=True)
class Config(Embedded):
    """Where the bases are, and what embeds them."""

    database_url: str = dataclasses.field(kw_only=True)


def main(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """Run the command line. Returns the exit status: 1 when a file could not be read, 2 when nothing was done."""
    options = _parser().parse_args(arguments)
    try:
        cfg = config.load(Config, env)
        database = Database(cfg.database_url, name="knowledge", min_schema=MIN_SCHEMA)
        database.ready(10)
        try:
            status: int = options.run(options, cfg, database)
        finally:
            database.close()
    except (Misconfigured, Unavailable) as error:
        print(f"knowledge: {error}", file=sys.stderr)
        return 2
    return status


def _load(options: argparse.Namespace, cfg: Config, database: Database) -> int:
    by, library = embedding(cfg, afresh=options.afresh), Library(database)
    status = 0
    for path in options.folders:
        folder = look(path, options.base)
        if not folder.files and not options.empty:
            raise Misconfigured(f"{path}: no documents in it; --empty empties the base")
        loaded = load(
            library, folder.base, folder.files, by, language=folder.language, weights=folder.weights, say=_progress
        )
        _report(loaded)
        for source in folder.ignored:
            print(f"  ignored: {source} (no Markdown, text, HTML or PDF)")
        status = 1 if loaded.problems else status
    return status


def _report(loaded: Loaded) -> None:
    by = f", {loaded.embedded} sections embedded by {loaded.model}" if loaded.model else ""
    print(f"{loaded.base}: {loaded.documents} documents, {loaded.changed} changed, {loaded.removed} removed{by}")
    for source, why in loaded.problems.items():
        print(f"  not read: {source}: {why}", file=sys.stderr)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[2m{text}\033[0m\033[K", end="\r", file=sys.stderr, flush=True)


def _list(options: argparse.Namespace, _: Config, database: Database) -> int:
    for row in Library(database).sources(options.base):
        who = ",".join(row["groups"]) or "everybody"
        mark = f"  QUARANTINED: {row['reason']}" if row["quarantined"] else ""
        print(
            f"{row['base']}/{row['source']}  {row['language']}  for {who}  {row['chunks']} sections,"
            f" {row['embedded']} embedded  {row['digest'][:12]}  {row['loaded_at']:%Y-%m-%d %H:%M}{mark}"
        )
    return 0


def _search(options: argparse.Namespace, cfg: Config, database: Database) -> int:
    embedder = Embeddings(cfg.llama_stack_url, cfg.llama_stack_api_key) if cfg.llama_stack_url else None
    for one in Knowledge(database, embedder).search([options.base], options.question, options.limit):
        near = "" if one.similarity is None else f"  similarity {one.similarity:.2f}"
        print(f"words {one.score:.2f}{near}  {one.source}#{one.anchor}  {one.title}: {one.heading}")
    return 0


def _quarantine(options: argparse.Namespace, _: Config, database: Database) -> int:
    count = Library(database).quarantine(options.base, options.source, options.reason, actor=getpass.getuser())
    print(f"{options.base}/{options.source} is in quarantine: {count} documents less are shown")
    return 0


def _release(options: argparse.Namespace, _: Config, database: Database) -> int:
    if not Library(database).release(options.base, options.source, actor=getpass.getuser()):
        raise Misconfigured(f"{options.base}/{options.source}: is in no quarantine")
    print(f"{options.base}/{options.source} is shown again")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="knowledge", description="Fill, look at and search knowledge bases.")
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("load", help="make bases what the files of their folders say")
    one.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    one.add_argument("--base", help="its name, when not that of the folder")
    one.add_argument(
        "--afresh", action="store_true", help="embed everything again: the model has changed, not its name"
    )
    one.add_argument("--empty", action="store_true", help="let a folder without documents empty its base")
    one.set_defaults(run=_load)
    one = commands.add_parser("list", help="show what is loaded, and from where")
    one.add_argument("base", nargs="?")
    one.set_defaults(run=_list)
    one = commands.add_parser("search", help="show what a question finds that everybody may read")
    one.add_argument("base")
    one.add_argument("question")
    one.add_argument("--limit", type=int, default=6)
    one.set_defaults(run=_search)
    one = commands.add_parser("quarantine", help="show nobody what comes from a file, or from a folder/")
    one.add_argument("base")
    one.add_argument("source")
    one.add_argument("--reason", required=True)
    one.set_defaults(run=_quarantine)
    one = commands.add_parser("release", help="show it again")
    one.add_argument("base")
    one.add_argument("source")
    one.set_defaults(run=_release)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
