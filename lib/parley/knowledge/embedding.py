"""By which model texts are embedded: the settings of whoever loads. Searching asks for the model that is recorded."""

from dataclasses import dataclass

from parley.adapters.embeddings import Embeddings
from parley.errors import Misconfigured
from parley.knowledge.load import Embedding

SECONDS = 60  # of one call: a batch of texts on a busy server
RETRIES = 4


@dataclass(frozen=True)
class Embedded:
    """A model, and the Llama Stack server that has it."""

    llama_stack_url: str | None = None
    llama_stack_api_key: str | None = None
    embedding_model: str | None = None


def embedding(cfg: Embedded, *, afresh: bool = False) -> Embedding | None:
    """Say by what texts are embedded; None when no model is set. Raises Misconfigured."""
    if not cfg.embedding_model:
        return None
    if not cfg.llama_stack_url:
        raise Misconfigured("LLAMA_STACK_URL: required for EMBEDDING_MODEL, not set")
    embedder = Embeddings(cfg.llama_stack_url, cfg.llama_stack_api_key, seconds=SECONDS, retries=RETRIES)
    return Embedding(embedder, cfg.embedding_model, afresh)
