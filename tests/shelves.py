"""Knowledge bases for tests."""

from collections.abc import Mapping
from pathlib import Path

from devkit.embedding import MODELS, embed
from parley.adapters.postgres.knowledge import Knowledge
from parley.adapters.postgres.library import Library
from parley.knowledge.folder import look
from parley.knowledge.load import Embedding, Loaded, load, texts


class Synthetic:
    """An embedder without a server: the vectors of devkit.embedding. Keeps what was embedded in `texts`."""

    def __init__(self):
        self.texts = []

    def embed(self, model, texts):
        self.texts += texts
        return [embed(text, MODELS[model]) for text in texts]


class Shelves(Knowledge):
    """Knowledge bases that are filled where they are searched."""

    def load(self, base: str, files: Mapping[str, str], embedding: Embedding | None = None) -> Loaded:
        """Make a base what these texts say."""
        return load(Library(self._database), base, texts(files), embedding)

    def load_folder(self, folder: Path, embedding: Embedding | None = None) -> Loaded:
        """Make a base what a folder says."""
        found = look(folder)
        return load(
            Library(self._database), found.base, found.files, embedding, language=found.language, weights=found.weights
        )
