"""Settings from the environment: typed, and one line that names what is wrong."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

from parley import config
from parley.errors import Misconfigured


@dataclass(frozen=True)
class Settings:
    database_url: str
    threads: int = 4
    timeout: float = 1.5
    strict: bool = False
    level: Literal["info", "debug"] = "info"
    keys: tuple[str, ...] = ()
    folder: Path = Path()
    note: str | None = None
    port: Annotated[int, config.Range(1, 65535)] = 8080
    tick: config.Seconds | None = None


def test_each_type_is_read():
    """Text becomes what the field says; empty is as good as absent."""
    env = {
        "DATABASE_URL": "postgresql://x", "THREADS": "8", "TIMEOUT": "2.5", "STRICT": "yes", "LEVEL": "DEBUG",
        "KEYS": "a, b,", "FOLDER": "/x", "NOTE": "", "PORT": "65535", "TICK": "0.1",
    }  # fmt: skip

    found = config.load(Settings, env)

    assert found == Settings("postgresql://x", 8, 2.5, True, "debug", ("a", "b"), Path("/x"), None, 65535, 0.1)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({}, "DATABASE_URL: required"),
        ({"DATABASE_URL": "  "}, "DATABASE_URL: required"),
        ({"DATABASE_URL": "x", "THREADS": "many"}, "THREADS: must be a number"),
        ({"DATABASE_URL": "x", "THREADS": "-1"}, "THREADS"),
        ({"DATABASE_URL": "x", "TIMEOUT": "nan"}, "TIMEOUT"),
        ({"DATABASE_URL": "x", "TIMEOUT": "inf"}, "TIMEOUT"),
        ({"DATABASE_URL": "x", "STRICT": "perhaps"}, "STRICT: must be true or false"),
        ({"DATABASE_URL": "x", "LEVEL": "loud"}, "LEVEL: must be one of info, debug"),
        ({"DATABASE_URL": "x", "PORT": "0"}, "PORT: must be a number from 1 to 65535"),
        ({"DATABASE_URL": "x", "PORT": "65536"}, "PORT: must be a number from 1 to 65535"),
        ({"DATABASE_URL": "x", "TICK": "0"}, "TICK: must be a number from 0.1 to 2592000"),
        ({"DATABASE_URL": "x", "TICK": "nan"}, "TICK: must be a number from 0.1 to 2592000"),
        ({"DATABSE_URL": "x"}, "DATABSE_URL: unknown variable; did you mean DATABASE_URL?"),
        ({"DATABASE_URL": "x", "TIMEOUTS": "3"}, "TIMEOUTS: unknown variable; did you mean TIMEOUT?"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_variable(env, words):
    """Missing, malformed and misspelt variables are named; their values are not shown, they may be secret."""
    with pytest.raises(Misconfigured) as caught:
        config.load(Settings, env)

    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)
    assert "many" not in str(caught.value)
