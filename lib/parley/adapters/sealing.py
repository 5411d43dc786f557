"""Secrets at rest: sealed with AES-128-CBC and HMAC-SHA256 (Fernet), several keys for rotation; the first one seals."""

from collections.abc import Sequence
from typing import Any

from parley.errors import Misconfigured, Rejected


class Seal:
    """`keys` are Fernet keys: 32 bytes, URL-safe base64, as `Fernet.generate_key()` makes them."""

    def __init__(self, setting: str, keys: Sequence[str]) -> None:
        """`setting` is the name of the variable that the keys come from. Raises Misconfigured."""
        from cryptography.fernet import Fernet, MultiFernet

        try:
            self._fernet: Any = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise Misconfigured(f"{setting}: each key is 32 bytes in URL-safe base64") from None

    def close(self, text: str) -> bytes:
        """Seal a text."""
        sealed: bytes = self._fernet.encrypt(text.encode())
        return sealed

    def open(self, sealed: bytes) -> str:
        """Give the text. Raises Rejected when none of the keys sealed it."""
        from cryptography.fernet import InvalidToken

        try:
            opened: bytes = self._fernet.decrypt(bytes(sealed))
        except InvalidToken:
            raise Rejected("a secret that none of our keys sealed") from None
        return opened.decode()
