"""What the standalone mode settles by itself: its home, its secrets, and which setting wins."""

import json
from pathlib import Path

import pytest

from parley import config, tokens
from parley.errors import Misconfigured
from standalone import __main__ as standalone
from standalone import settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path):
    """Make a project whose `config/local.env` has these lines."""

    def make(text=None):
        (tmp_path / "config").mkdir()
        if text is not None:
            (tmp_path / "config" / "local.env").write_text(text, encoding="utf-8")
        return tmp_path

    return make


@pytest.mark.parametrize("given", [{}, {"PARLEY_HOME": ""}])
def test_home_is_in_the_project_unless_said_otherwise(tmp_path, given):
    """
    `.parley` in the root; it is made, and only its owner may enter it.
    """
    home = settings.home(tmp_path, given)

    assert home == tmp_path / ".parley"
    assert home.stat().st_mode & 0o777 == 0o700


def test_home_is_where_the_environment_says(tmp_path, monkeypatch):
    """
    PARLEY_HOME, with its parents, is made; a relative one is of the working folder, not of the project.
    """
    monkeypatch.chdir(tmp_path)

    home = settings.home(tmp_path / "project", {"PARLEY_HOME": "some where/deep"})

    assert home == tmp_path / "some where" / "deep"
    assert home.is_dir()


def test_home_may_stand_in_the_file(root, tmp_path):
    """
    As any other setting; the environment wins.
    """
    project = root(f"PARLEY_HOME={tmp_path}/from the file\n")

    assert settings.home(project, {}) == tmp_path / "from the file"
    assert settings.home(project, {"PARLEY_HOME": f"{tmp_path}/given"}) == tmp_path / "given"


def test_home_that_cannot_be_made_is_a_wrong_setting(tmp_path):
    """
    A file is in its place.
    """
    (tmp_path / "file").touch()

    with pytest.raises(Misconfigured, match=r"^PARLEY_HOME: "):
        settings.home(tmp_path, {"PARLEY_HOME": f"{tmp_path}/file"})


def test_home_that_is_there_stays_as_it_is(tmp_path):
    """
    What is in it is the data of the last run.
    """
    (tmp_path / ".parley").mkdir()
    (tmp_path / ".parley" / "api-key").write_text("pk_1")

    home = settings.home(tmp_path, {})

    assert (home / "api-key").read_text() == "pk_1"


def test_env_file_is_names_and_values(tmp_path):
    """
    Blank lines and comments are skipped, space around a value too; a value may hold `=` and `#`, or be empty.
    """
    path = tmp_path / "local.env"
    path.write_text("# a comment\n\n  A=1  \nB_2= no\nURL=smtp://h:1?tls=none#x\nE=\nÜ=käse\n", encoding="utf-8")

    assert settings.read_env_file(path) == {
        "A": "1", "B_2": "no", "URL": "smtp://h:1?tls=none#x", "E": "", "Ü": "käse",
    }  # fmt: skip


def test_last_of_two_equal_names_wins(tmp_path):
    """
    As a shell would have it.
    """
    path = tmp_path / "local.env"
    path.write_text("A=1\nA=2\n")

    assert settings.read_env_file(path) == {"A": "2"}


@pytest.mark.parametrize("line", ["A", "=1", "export A=1", "A-B=1", "1A=1", "A =1", "A: 1"])
def test_line_that_is_no_setting_is_refused_by_its_number(tmp_path, line):
    """
    File and line are named; the text is not, since it may be a secret.
    """
    path = tmp_path / "local.env"
    path.write_text(f"# first\nGOOD=1\n{line}\n")

    with pytest.raises(Misconfigured) as error:
        settings.read_env_file(path)

    assert str(error.value) == "local.env:3: expected NAME=value"


def test_secrets_are_made_once(tmp_path):
    """
    A second call, as after a restart, gives the same; another installation has others.
    """
    (tmp_path / "other").mkdir()

    made = settings.made_once(tmp_path)

    assert set(made) == set(settings.MADE)
    assert len(set(made.values())) == len(settings.MADE)
    assert min(map(len, made.values())) >= 32
    assert settings.made_once(tmp_path) == made
    assert not set(settings.made_once(tmp_path / "other").values()) & set(made.values())


def test_secrets_are_read_by_their_owner_only(tmp_path):
    """
    The file has the mode 0600, and nothing else is left in the folder.
    """
    settings.made_once(tmp_path)

    [path] = tmp_path.iterdir()
    assert path.name == "secrets.json"
    assert path.stat().st_mode & 0o777 == 0o600


def test_secret_that_is_missing_is_added(tmp_path):
    """
    A newer version wants one more: the others stay, and so does what an older version has left there.
    """
    before = settings.made_once(tmp_path)
    kept = {"EVENT_KEY": before["EVENT_KEY"], "OLD": "1"}
    (tmp_path / "secrets.json").write_text(json.dumps(kept))

    after = settings.made_once(tmp_path)

    assert {**after, **kept} == after
    assert set(after) == {*settings.MADE, "OLD"}
    assert after["WEBHOOK_SIGNING_KEY"] != before["WEBHOOK_SIGNING_KEY"]
    assert settings.made_once(tmp_path) == after
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_what_is_given_wins_over_the_file_and_the_file_over_what_was_made(root, tmp_path):
    """
    The environment, then `config/local.env`, then the secrets of the installation.
    """
    project = root("EVENT_KEY=from the file\nSLACK_SIGNING_SECRET=from the file\nMAIL_FROM=from the file\n")

    env = settings.environment(project, tmp_path, {"EVENT_KEY": "given", "MAIL_FROM": "given", "PATH": "/bin"})

    made = settings.made_once(tmp_path)
    assert env == {
        "CONFIG_DIR": str(project / "config"),
        "EVENT_KEY": "given",
        "MAIL_FROM": "given",
        "PATH": "/bin",
        "SLACK_SIGNING_SECRET": "from the file",
        "WEBHOOK_SIGNING_KEY": made["WEBHOOK_SIGNING_KEY"],
        "TOOL_SIGNING_KEY": made["TOOL_SIGNING_KEY"],
        "TOOL_PUBLIC_KEY": tokens.public_of(made["TOOL_SIGNING_KEY"]),
    }


def test_file_is_for_the_standalone_mode_itself_too(root, tmp_path, monkeypatch):
    """
    Its port, its user, its level: whatever the environment does not say.
    """
    monkeypatch.setattr(standalone, "ROOT", root("PORT=18777\nAPI_USER=ann@example.org\nLOG_LEVEL=ERROR\n"))

    chosen, env = standalone.settle({"PARLEY_HOME": str(tmp_path), "LOG_LEVEL": "info"})

    assert (chosen.port, chosen.api_user, chosen.log_level) == (18777, "ann@example.org", "INFO")
    assert env["PORT"] == "18777"


ONE = "MAX_INSTANCES: all functions in one process run as one instance"
KNATIVE = {"K_SERVICE": "parley", "DATABASE_URL": "postgresql://x/y"}
WRONG = {
    "below nothing": ({"TICK_SECONDS": "-1"}, "TICK_SECONDS: must be a finite number, zero or more"),
    "misspelt": ({"MAX_INSTANCE": "1"}, "MAX_INSTANCE: unknown variable; did you mean MAX_INSTANCES?"),
    "no level": ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
    "no database on Knative": ({"K_SERVICE": "parley"}, "DATABASE_URL: required on Knative"),
    "two instances": ({**KNATIVE, "MAX_INSTANCES": "2"}, ONE),
    "any number of instances": ({**KNATIVE, "MAX_INSTANCES": "0"}, ONE),
}


@pytest.mark.parametrize(("wrong", "reason"), [pytest.param(*row, id=name) for name, row in WRONG.items()])
def test_wrong_setting_of_the_standalone_mode_is_named(tmp_path, wrong, reason):
    """
    Before anything is started. On Knative, events in memory and data on a disk of one's own allow no more than this.
    """
    with pytest.raises(Misconfigured) as error:
        standalone.settle({"PARLEY_HOME": str(tmp_path), **wrong})

    assert str(error.value) == reason


def test_what_is_given_empty_is_not_given(root, tmp_path):
    """
    `SMTP_URL= make run` means the same as leaving it out.
    """
    env = settings.environment(root("SMTP_URL=smtp://h:1\n"), tmp_path, {"SMTP_URL": "", "EVENT_KEY": ""})

    assert env["SMTP_URL"] == "smtp://h:1"
    assert env["EVENT_KEY"] == settings.made_once(tmp_path)["EVENT_KEY"]


def test_file_need_not_be_there(root, tmp_path):
    """
    Without `config/local.env` there are the secrets, and where the configuration is; that can be given, too.
    """
    project = root()

    assert set(settings.environment(project, tmp_path, {})) == {"CONFIG_DIR", "TOOL_PUBLIC_KEY", *settings.MADE}
    assert settings.environment(project, tmp_path, {"CONFIG_DIR": "/x"})["CONFIG_DIR"] == "/x"


def test_shipped_settings_and_what_is_made_are_all_that_the_functions_want(tmp_path):
    """
    With a database and a broker, every function builds from what stands here.
    """
    from standalone import host

    env = settings.environment(ROOT, tmp_path, {"DATABASE_URL": "postgresql://x/y", "K_SINK": "http://127.0.0.1:9/"})

    for name in host.names(ROOT):
        assert config.load(host.load(ROOT, name, env).config, env), name


def test_on_a_cluster_nothing_is_made_up(root, tmp_path):
    """What a laptop wants (unsigned events, private webhooks, secrets made once) is no default of production."""
    project = root("ALLOW_UNSIGNED_EVENTS=true\nSLACK_BOT_TOKEN=none\n")
    env = settings.environment(project, tmp_path, {"K_SERVICE": "parley", "EVENT_KEY": "given"})
    assert set(env) == {"CONFIG_DIR", "K_SERVICE", "EVENT_KEY"}
    assert not (tmp_path / "secrets.json").exists()
