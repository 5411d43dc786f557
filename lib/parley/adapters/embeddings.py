"""Embeddings by Llama Stack (https://llama-stack.readthedocs.io): `/v1/embeddings`, as OpenAI has it."""

import logging
import math
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from parley import telemetry
from parley.errors import Misconfigured, Unavailable

if TYPE_CHECKING:
    from llama_stack_client import LlamaStackClient

CONNECT = 5.0  # seconds


class Embeddings:
    """
    Implements `ports.Embedder`. To embed twice is to embed once: `retries` may be as many as the caller's time allows.

    `seconds`: the longest that one call may take.
    """

    def __init__(self, url: str, api_key: str | None = None, *, seconds: float = 5.0, retries: int = 0) -> None:
        if not url.startswith(("http://", "https://")):
            raise Misconfigured("LLAMA_STACK_URL: expected http://host:8321 or https://…")
        self._url = url
        self._api_key = api_key
        self._seconds = seconds
        self._retries = retries
        self._lock = threading.Lock()
        self._client: LlamaStackClient | None = None

    def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """Embed these texts in one call."""
        client = self._opened()
        from llama_stack_client import APIConnectionError, APIStatusError

        try:
            labels = {"gen_ai.provider.name": "llama_stack", "gen_ai.request.model": model}
            with telemetry.calling("embeddings", model, labels, "client"):
                answer = client.embeddings.create(
                    model=model, input=list(texts), encoding_format="float", extra_headers=telemetry.headers()
                )
        except APIConnectionError as error:
            raise Unavailable(f"Llama Stack cannot be reached: {type(error).__name__}") from None
        except APIStatusError as error:
            if error.status_code in (400, 404, 422):
                raise Misconfigured(f"EMBEDDING_MODEL: Llama Stack cannot embed with {model!r}") from None
            raise Unavailable(f"Llama Stack answered {error.status_code}") from None
        vectors = [_unit(one.embedding) for one in sorted(answer.data, key=lambda one: one.index)]
        if len(vectors) != len(texts) or len({len(vector) for vector in vectors}) > 1:
            raise Unavailable(f"Llama Stack gave {len(vectors)} embeddings for {len(texts)} texts")
        return vectors

    def _opened(self) -> "LlamaStackClient":
        with self._lock:
            if self._client is None:
                import httpx
                from llama_stack_client import LlamaStackClient

                logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every URL
                self._client = LlamaStackClient(
                    base_url=self._url.rstrip("/").removesuffix("/v1"),
                    api_key=self._api_key,
                    max_retries=self._retries,
                    timeout=httpx.Timeout(self._seconds, connect=min(CONNECT, self._seconds)),
                )
            return self._client


def _unit(vector: object) -> list[float]:
    """Give the vector the length one, which half a float can hold. Raises Unavailable when it points nowhere."""
    if not isinstance(vector, list) or not all(isinstance(one, int | float) for one in vector):
        raise Unavailable("Llama Stack gave no vector of numbers")
    length = math.sqrt(sum(one * one for one in vector))
    if not 0 < length < math.inf:
        raise Unavailable("Llama Stack gave a vector without a direction")
    return [one / length for one in vector]
