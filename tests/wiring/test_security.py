"""SECURITY.md promises nothing that no test holds."""

import re

from processes import ROOT

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if re.match(r"\|[^|]*\| [STRIDE ]+ \|", line)]


def test_every_threat_names_tests_that_are_there():
    """A test that is renamed or gone leaves a threat without what holds it."""
    missing = []
    for row in ROWS:
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row)
        assert named, row
        for path, test in named:
            file = ROOT / path
            if not file.exists() or f"def {test or 'test_'}" not in file.read_text(encoding="utf-8"):
                missing.append(f"{path}::{test}")

    assert len(ROWS) > 20
    assert missing == []


def test_every_kind_of_threat_is_looked_at():
    assert {kind for row in ROWS for kind in row.split("|")[2].split()} == set("STRIDE")
