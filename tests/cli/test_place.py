"""Which installation the command means: flags, environment, file, the one that runs here; field by field."""

import json

import pytest

from parley.cli.place import Unclear, find

FILE = """
profile = "work"
[profiles.work]
url = "https://work.example/"
key = "pk_work"
[profiles.home]
url = "https://home.example"
key_command = "printf 'pk_home\\n'"
"""


@pytest.fixture
def home(tmp_path):
    """A person's folder; `file` and `running` fill it."""

    def file(text=FILE):
        path = tmp_path / ".config" / "parley" / "config.toml"
        path.parent.mkdir(parents=True)
        path.write_text(text)

    def running(folder):
        (folder / ".parley").mkdir(parents=True)
        facts = {
            "port": 8080,
            "broker_port": 8081,
            "key": "pk_here",
            "database": "postgresql://h/p",
            "user": "",
            "pid": 1,
        }
        (folder / ".parley" / "running.json").write_text(json.dumps(facts))

    home.path, home.file, home.running = tmp_path, file, running
    return home


def place(home, flags=None, folder=None, **env):
    return find(flags or {}, {"HOME": str(home.path), **env}, folder or home.path)


def test_nothing_known_says_what_to_do(home):
    """Start one, or name one."""
    with pytest.raises(Unclear, match="make run"):
        place(home).needed()
    with pytest.raises(Unclear, match="wants a key"):
        place(home, PARLEY_URL="https://x.example").needed()


def test_one_that_runs_in_this_folder_or_above_is_found(home):
    """Without any setting, with its key and its broker."""
    home.running(home.path)
    (home.path / "a" / "b").mkdir(parents=True)

    found = place(home, folder=home.path / "a" / "b")

    assert (found.url, found.key) == ("http://127.0.0.1:8080", "pk_here")
    assert found.broker == "http://127.0.0.1:8081/parley/parley"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"port": 1}'])
def test_a_file_that_does_not_say_what_runs_is_told_of(home, text):
    """Nobody is left to wonder why nothing runs here."""
    home.running(home.path)
    (home.path / ".parley" / "running.json").write_text(text)

    with pytest.raises(Unclear, match=r"running\.json: does not say what runs here"):
        place(home)


def test_what_is_said_nearest_wins(home):
    """Flag, then environment, then file; what runs here comes last, and never a part of it with another address."""
    home.file()
    home.running(home.path)

    assert place(home).url == "https://work.example"
    assert place(home, PARLEY_URL="https://env.example").url == "https://env.example"
    mixed = place(home, {"url": "https://flag.example"}, PARLEY_KEY="pk_env")
    assert (mixed.url, mixed.key) == ("https://flag.example", "pk_env")
    assert mixed.origin["url"] == "flag"
    assert mixed.broker == ""


def test_key_of_here_is_never_sent_elsewhere(home):
    """An address of one's own comes without the key of the installation that happens to run in this folder."""
    home.running(home.path)

    with pytest.raises(Unclear, match="wants a key"):
        place(home, {"url": "https://elsewhere.example"}).needed()


def test_profile_is_chosen_by_name_and_its_key_by_a_command(home):
    """Keys need not stand in a file."""
    home.file()

    assert place(home, {"profile": "home"}).key == "pk_home"
    assert place(home, PARLEY_PROFILE="home").url == "https://home.example"


@pytest.mark.parametrize(
    ("text", "flags", "words"),
    [
        ("profile = ", {}, "cannot be read"),
        ("", {"profile": "x"}, "no profile x"),
        ('profile = "gone"', {}, "no profile gone"),
        ('[profiles.x]\nurl = "u"\ntoken = "t"', {"profile": "x"}, "token is no field"),
        ('[profiles.x]\nurl = "u"\nkey_command = "false"', {"profile": "x"}, "gave no key"),
        ('[profiles.x]\nurl = "u"\nkey_command = "/nowhere"', {"profile": "x"}, "gave no key"),
    ],
)
def test_wrong_file_is_said_in_a_line(home, text, flags, words):
    """Never a traceback."""
    home.file(text)

    with pytest.raises(Unclear, match=words):
        place(home, flags)


def test_key_is_not_shown(home):
    """Neither by repr."""
    assert "pk_env" not in repr(place(home, PARLEY_KEY="pk_env"))
