"""In which language a text is written, as far as that can be told."""

from functools import cache
from typing import TYPE_CHECKING

from parley.domain.languages import SEARCHED

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

SURE = 0.9
SHORTEST = 40  # letters
LONGEST = 4_000


def detected(text: str) -> str | None:
    """Give the ISO 639-1 code; None when the text is too short or too mixed to be sure."""
    letters = " ".join(text.split())[:LONGEST]
    if len(letters) < SHORTEST:
        return None
    code, probability = _identifier().classify(letters)
    return str(code) if probability >= SURE else None


@cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(sorted(set(SEARCHED) & set(identifier.labels)))
    return identifier
