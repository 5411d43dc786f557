"""Languages of documents: ISO 639-1 codes, and how PostgreSQL's text search is called for each."""

UNKNOWN = "simple"  # words as they are: for every language that is not here
SEARCHED = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian",
    "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali",
    "nl": "dutch", "nn": "norwegian", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip


def declared(language: str) -> str:
    """Give the text search of a language that a document names: `de`, `de-AT`, `pt_BR`, `German`."""
    word = language.strip().lower().replace("_", "-")
    return SEARCHED.get(word.split("-")[0]) or (word if word in SEARCHED.values() else UNKNOWN)
