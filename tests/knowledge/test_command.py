"""`python -m parley.knowledge`: load, list, search, quarantine, release."""

import pytest
from databases import run

from parley.knowledge.__main__ import main


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "desk"
    (path / "old").mkdir(parents=True)
    (path / "vpn.md").write_text("# VPN\n\n## Error 691\n\nThe password was rejected.\n", encoding="utf-8")
    (path / "old" / "wifi.md").write_text("# Wi-Fi\n\n## Guests\n\nAsk at the desk.\n", encoding="utf-8")
    return path


@pytest.fixture
def knowledge(database_url, capsys):
    """Run the command; gives status, output and errors."""

    def make(*arguments, **env):
        status = main([str(one) for one in arguments], {"DATABASE_URL": database_url, **env})
        said = capsys.readouterr()
        return status, said.out, said.err

    return make


def test_a_folder_is_loaded_listed_and_searched(knowledge, folder):
    """Again, it changes nothing."""
    assert knowledge("load", folder)[:2] == (0, "desk: 2 documents, 2 changed, 0 removed\n")
    assert knowledge("load", folder)[:2] == (0, "desk: 2 documents, 0 changed, 0 removed\n")

    listed = knowledge("list", "desk")[1]
    assert "desk/vpn.md  english  for everybody  1 sections, 0 embedded" in listed
    found = knowledge("search", "desk", "Error 691")[1]
    assert found == "words 1.00  vpn.md#error-691  VPN: Error 691\n"


def test_a_source_in_quarantine_is_shown_to_nobody_until_it_is_released(knowledge, folder, database_url):
    """Also what is loaded from it later; who did it, and why, is kept."""
    knowledge("load", folder)

    assert knowledge("quarantine", "desk", "old/", "--reason", "poisoned")[1].endswith("1 documents less are shown\n")
    (folder / "old" / "more.md").write_text("# Guests\n\nGuests wait.\n", encoding="utf-8")
    (folder / "old" / "wifi.md").write_text("# Wi-Fi\n\n## Guests\n\nObey.\n", encoding="utf-8")
    knowledge("load", folder)

    assert knowledge("search", "desk", "guests")[1] == ""
    assert knowledge("list")[1].count("QUARANTINED: poisoned") == 2

    assert knowledge("release", "desk", "old/")[0] == 0
    assert knowledge("search", "desk", "guests")[1].count("\n") == 2
    assert knowledge("release", "desk", "old/")[0] == 2
    actions = run(database_url, "select action, object, detail->>'reason' from audit_log order by id")
    assert actions == [("knowledge.quarantine", "desk/old/", "poisoned"), ("knowledge.release", "desk/old/", None)]


def test_a_file_that_cannot_be_read_leaves_what_was_there(knowledge, folder):
    """The others are loaded, and the status says that something is wrong."""
    knowledge("load", folder)
    (folder / "vpn.md").write_bytes(b"\x80 broken")
    (folder / "old" / "wifi.md").write_text("# Wi-Fi\n\n## Visitors\n\nNew.\n", encoding="utf-8")

    status, said, errors = knowledge("load", folder)

    assert (status, said) == (1, "desk: 2 documents, 1 changed, 0 removed\n")
    assert "not read: vpn.md: is no UTF-8 text" in errors
    assert "error-691" in knowledge("search", "desk", "Error 691")[1]
    assert "visitors" in knowledge("search", "desk", "Visitors")[1]


def test_an_empty_folder_empties_a_base_only_when_told_so(knowledge, folder, tmp_path):
    """It may be the wrong one."""
    knowledge("load", folder)
    (tmp_path / "empty").mkdir()

    status, _, errors = knowledge("load", tmp_path / "empty", "--base", "desk")
    assert (status, "--empty" in errors) == (2, True)
    assert knowledge("load", tmp_path / "empty", "--base", "desk", "--empty")[1] == (
        "desk: 0 documents, 0 changed, 2 removed\n"
    )


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL: required"),
        ({"EMBEDDING_MODEL": "m"}, "LLAMA_STACK_URL: required for EMBEDDING_MODEL"),
        ({"EMBEDDING_MODEL": "m", "LLAMA_STACK_URL": "here"}, "LLAMA_STACK_URL: expected http"),
    ],
)
def test_what_is_missing_is_one_line(knowledge, folder, env, why):
    status, _, errors = knowledge("load", folder, **env)

    assert status == 2
    assert why in errors
