"""
Standard Webhooks' signatures: v1 (HMAC-SHA256, a shared secret) and v1a (ed25519, a public key).

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

The secrets of a receiver are derived from ours, the receiver's id and a generation: they are shown to its owner, and
stored nowhere. A new generation is a rotation: for a while both sign.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Sequence

V1, V1A = "v1", "v1a"


def keys(setting: str) -> tuple[str, ...]:
    """Read the setting: comma-separated, the first is the newest and all of them sign."""
    return tuple(part.strip() for part in setting.split(",") if part.strip())


def secret(signing_key: str, integration_id: str, generation: int = 1) -> str:
    """Give the secret that a receiver verifies v1 with."""
    return "whsec_" + base64.b64encode(_derived(signing_key, "webhook", integration_id, generation)).decode()


def public_key(signing_key: str, integration_id: str, generation: int = 1) -> str:
    """Give the key that a receiver verifies v1a with."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(_seed(signing_key, integration_id, generation))
    return "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def signatures(
    signing_keys: Sequence[str], integration_id: str, generations: Sequence[int], kinds: Sequence[str], signed: bytes
) -> str:
    """Give the header's value: one signature for each key that the receiver may hold, the newest first."""
    return " ".join(_each(signing_keys, integration_id, generations, kinds, signed))


def _each(
    signing_keys: Sequence[str], integration_id: str, generations: Sequence[int], kinds: Sequence[str], signed: bytes
) -> Iterator[str]:
    for key in signing_keys:
        for generation in generations:
            if V1 in kinds:
                yield signature(secret(key, integration_id, generation), signed)
            if V1A in kinds:
                yield signature_asymmetric(_seed(key, integration_id, generation), signed)


def signature(whsec: str, signed: bytes) -> str:
    """Sign `id.timestamp.body` by version 1."""
    key = base64.b64decode(whsec.removeprefix("whsec_"))
    return f"{V1}," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signature_asymmetric(seed: bytes, signed: bytes) -> str:
    """Sign `id.timestamp.body` by version 1a, with the 32 bytes of a private key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return f"{V1A}," + base64.b64encode(Ed25519PrivateKey.from_private_bytes(seed).sign(signed)).decode()


def _seed(signing_key: str, integration_id: str, generation: int) -> bytes:
    return _derived(signing_key, "webhook-ed25519", integration_id, generation)


def _derived(signing_key: str, use: str, integration_id: str, generation: int) -> bytes:
    suffix = f":{generation}" if generation > 1 else ""
    return hmac.new(signing_key.encode(), f"{use}:{integration_id}{suffix}".encode(), hashlib.sha256).digest()
