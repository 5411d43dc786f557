"""
Embeddings without a model: texts that share words and letters are near each other. Synthetic: they measure no meaning.

Each word, and each run of three and four letters in it, is hashed to a place and a sign; the vector has length one. The
same text gives the same vector on every machine. Another language's word for the same thing is as far away as any.
"""

import base64
import math
import re
import struct
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any
from zlib import crc32

MODELS = {"synthetic-384": 384, "synthetic-256": 256}  # name → dimension

_WORDS = re.compile(r"\w+")


def embed(text: str, dimension: int) -> list[float]:
    """Give the vector of a text; that of one without words points to a place of its own."""
    vector = [0.0] * dimension
    for feature, count in Counter(_features(text)).items():
        place = crc32(feature.encode())
        weight = math.sqrt(count) * (3.0 if feature[0] == "=" else 1.0)
        vector[place % dimension] += weight if place & 0x8000_0000 else -weight
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length else [1.0] + [0.0] * (dimension - 1)


def answer(model: str, vectors: list[list[float]], encoding: str = "float") -> dict[str, Any]:
    """Give the body of OpenAI's answer: numbers, or little-endian floats in base64."""

    def encoded(vector: list[float]) -> list[float] | str:
        if encoding != "base64":
            return vector
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()

    data = [{"object": "embedding", "index": n, "embedding": encoded(vector)} for n, vector in enumerate(vectors)]
    usage = {"prompt_tokens": len(vectors), "total_tokens": len(vectors)}
    return {"object": "list", "model": model, "data": data, "usage": usage}


def _features(text: str) -> Iterator[str]:
    plain = unicodedata.normalize("NFKD", text.lower())
    for word in _WORDS.findall("".join(one for one in plain if not unicodedata.combining(one))):
        yield f"={word}"
        edged = f"<{word}>"
        for size in (3, 4):
            yield from (edged[start : start + size] for start in range(len(edged) - size + 1))
