"""
Print config/cluster/secrets.yaml with new keys in it: `make secrets > parley-secrets.yaml`, outside the repository.

What only you know stays empty: passwords, tokens of Slack and Amazon. Each run makes other keys; what is encrypted or
signed with the old ones cannot be read with them.
"""

import base64
import re
import secrets
import sys
from pathlib import Path

from parley import tokens

TEMPLATE = Path(__file__).resolve().parents[2] / "config" / "cluster" / "secrets.yaml"


def filled(template: str) -> str:
    """Give the template with a key wherever one can be made."""
    signing = secrets.token_urlsafe(32)
    made = {
        ("parley-events", "key"): _key(), ("parley-webhook", "signing-key"): _key(),
        ("parley-links", "signing-key"): _key(), ("parley-slack", "token-key"): _key(),
        ("parley-tools", "signing-key"): signing, ("parley-tools", "public-key"): tokens.public_of(signing),
    }  # fmt: skip
    name, lines = "", []
    for line in template.splitlines():
        if found := re.fullmatch(r"  name: (\S+)", line):
            name = found[1]
        found = re.match(r'  ([a-z-]+): ""', line)
        value = made.pop((name, found[1]), "") if found else ""
        lines.append(line.replace('""', f'"{value}"', 1))
    assert not made, f"the template lacks {made.keys()}"
    return "\n".join(lines) + "\n"


def _key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


if __name__ == "__main__":
    sys.stdout.write(filled(TEMPLATE.read_text(encoding="utf-8")))
