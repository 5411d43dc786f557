"""Secrets that were about to be committed."""

import pytest

from devkit import leaks

# In two parts each, so that this file holds none.
SECRETS = {
    "AWS Access Key": ("AKIA", "Q7ZHBP3N5L2W6XKD"),
    "Slack Token": ("xoxb-", "12345678901-12345678901-abcdefghijklmnopqrstuvwx"),
    "GitHub Token": ("ghp_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"),
    "Private Key": ("-----BEGIN RSA ", "PRIVATE KEY-----"),
    "Basic Auth Credentials": ("postgresql://parley:", "hunter22@db.example/parley"),
    "API key of Parley": ("pk_", "Ab3dEf9h_" + "x" * 40),
}


@pytest.mark.parametrize("kind", SECRETS)
def test_secret_is_found_where_it_stands(tmp_path, kind):
    file = tmp_path / "settings.py"
    file.write_text(f"first = 1\nsecond = '{''.join(SECRETS[kind])}'\n", encoding="utf-8")

    [(name, line, found, _)] = [one for one in leaks.look([file], tmp_path) if one[2] == kind]

    assert (name, line, found) == ("settings.py", 2, kind)


def test_what_git_has_holds_none_that_is_not_known():
    """What `make check` does."""
    assert leaks.main([]) == 0


def test_a_known_example_is_known_in_its_own_file_alone(tmp_path, monkeypatch, capsys):
    """Somewhere else the same text is found again."""
    file = tmp_path / "other.py"
    file.write_text("".join(SECRETS["Slack Token"]), encoding="utf-8")
    digest = next(leaks.look([file], tmp_path))[3]
    baseline = tmp_path / "baseline"
    baseline.write_text(f'[["one.py", "Slack Token", "{digest}"]]', encoding="utf-8")
    monkeypatch.setattr(leaks, "BASELINE", baseline)
    monkeypatch.setattr(leaks, "tracked", lambda: [file])
    monkeypatch.setattr(leaks, "ROOT", tmp_path)
    monkeypatch.setattr(leaks.look, "__defaults__", (tmp_path,))

    assert leaks.main([]) == 1
    assert capsys.readouterr().err == "other.py:1: looks like a secret: Slack Token\n"
