"""
Bring a base to what its files say.

Only what changed is read and embedded; embeddings are kept as they come, so that a load that is cut off goes on where
it was; at the end, one transaction publishes everything, so that nobody sees half of it. Another model, or the first,
embeds every base anew in the same way, and becomes the one that is searched by in the same transaction.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from parley.adapters.postgres.library import Library, Model, Overtaken, Shelved
from parley.domain.knowledge import USUAL, Weights, digest, embedded
from parley.errors import Misconfigured, Unavailable
from parley.knowledge import reading
from parley.knowledge.reading import File, Unreadable
from parley.ports import Embedder

FORMAT = 1  # of what is read from a file: another one reads every file again
BATCH = 32  # texts of one call
TRIES = 5  # when others publish at the same time


@dataclass(frozen=True)
class Embedding:
    """By which model texts are embedded, and who does it; `afresh`: also what it has embedded before."""

    embedder: Embedder
    model: str
    afresh: bool = False


@dataclass(frozen=True)
class Loaded:
    """What a load has done. `problems`: files that could not be read, and why; what was read of them before stays."""

    base: str
    documents: int = 0
    changed: int = 0
    removed: int = 0
    embedded: int = 0
    model: str | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


def load(
    library: Library,
    base: str,
    files: Mapping[str, File],
    embedding: Embedding | None = None,
    *,
    language: str = "en",
    weights: Weights = USUAL,
    say: Callable[[str], object] = lambda _: None,
) -> Loaded:
    """
    Make a base what these files say: source → file. `language`: of those whose own is not known.

    Idempotent. Raises Misconfigured, and Unavailable; nothing has changed then.
    """
    _refuse_doubles(base, files)
    model = _recorded(library, embedding) if embedding else None
    count = 0
    for _ in range(TRIES):
        seen = library.state(base)
        digests = {source: _digest(file, language) for source, file in files.items()}
        read, problems = _read(files, {s: d for s, d in digests.items() if seen.digests.get(s) != d}, language)
        if embedding and model:
            count += _embed(library, embedding, model, read, say)
        kept = [source for source in files if source not in problems or source in seen.digests]
        try:
            removed = library.publish(seen, read, kept, model, weights)
        except Overtaken:
            continue
        if read or removed or count:
            library.tidy(model)
        return Loaded(base, len(kept), len(read), removed, count, model.name if model else None, problems)
    raise Unavailable(f"knowledge base {base}: others are loading it, too")


def texts(files: Mapping[str, str]) -> dict[str, File]:
    """Make files of texts that are at hand."""
    return {source: File(text.encode()) for source, text in files.items()}


def _refuse_doubles(base: str, files: Mapping[str, File]) -> None:
    by_name: dict[str, str] = {}
    for source in files:
        name = reading.name(source)
        if (other := by_name.setdefault(name, source)) != source:
            raise Misconfigured(f"knowledge base {base}: {other} and {source} have one name, {name!r}")


def _digest(file: File, language: str) -> str:
    """Name what a file says, as far as it depends on the file, on its folder and on how it is read."""
    said = f"{FORMAT} {language} {file.declared}\n".encode()
    return hashlib.sha256(said + file.content).hexdigest()


def _read(files: Mapping[str, File], digests: Mapping[str, str], language: str) -> tuple[list[Shelved], dict[str, str]]:
    read, problems = list[Shelved](), dict[str, str]()
    for source, name in digests.items():
        try:
            read.append(Shelved(source, name, *reading.read(source, files[source], language)))
        except Unreadable as error:
            problems[source] = str(error)
    return read, problems


def _recorded(library: Library, embedding: Embedding) -> Model:
    """Find out the model's dimension, and record both."""
    [vector] = embedding.embedder.embed(embedding.model, ["How long is this?"])
    return library.model(embedding.model, len(vector), afresh=embedding.afresh)


def _embed(
    library: Library, embedding: Embedding, model: Model, read: Iterable[Shelved], say: Callable[[str], object]
) -> int:
    """Embed what has changed, and what this model has not embedded of what is there already."""
    count = 0
    new = [embedded(one.document.title, chunk.heading, chunk.text) for one in read for chunk in one.document.chunks]
    pages = [[(digest(text), text) for text in new[start : start + 500]] for start in range(0, len(new), 500)]
    for page in (*pages, *library.unembedded(model)):
        wanted = dict(page)
        missing = library.missing(model, list(wanted))
        left = [(name, text) for name, text in wanted.items() if name in missing]
        for start in range(0, len(left), BATCH):
            batch = left[start : start + BATCH]
            vectors = embedding.embedder.embed(embedding.model, [text for _, text in batch])
            library.stage(model, {name: vector for (name, _), vector in zip(batch, vectors, strict=True)})
            count += len(batch)
            say(f"{count} sections embedded")
    return count
