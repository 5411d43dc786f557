"""Suppressed addresses on the command line, on a real PostgreSQL."""

import pytest

from parley import suppressed
from parley.adapters.postgres.suppressions import Suppressions


@pytest.fixture
def run(database_url, capsys):
    """Run a command; gives its exit status and what it said."""

    def make(*arguments, env=None):
        status = suppressed.main(arguments, {"DATABASE_URL": database_url} if env is None else env)
        said = capsys.readouterr()
        return status, said.out + said.err

    return make


def test_what_is_suppressed_is_listed_and_lifted(run, database):
    """By kind, with the reason; lifted once."""
    Suppressions(database).add("email", "Ann@Example.org", "bounce", "Permanent General")

    listed, lifted, again = (
        run("list"),
        run("lift", "email", "ann@example.org"),
        run("lift", "email", "ann@example.org"),
    )

    assert "ann@example.org" in listed[1]
    assert "bounce" in listed[1]
    assert (listed[0], lifted[0], again[0]) == (0, 0, 1)
    assert Suppressions(database).reason("email", "ann@example.org") is None


def test_a_number_can_be_suppressed_by_hand(run, database):
    """Somebody asked for it on the telephone."""
    assert run("add", "sms", "+491711234567")[0] == 0
    assert Suppressions(database).reason("sms", "+491711234567") == "opt_out"
    assert run("list", "--kind", "email") == (0, "")


def test_without_a_database_it_says_so(run):
    """One line that names the variable."""
    assert run("list", env={}) == (2, "DATABASE_URL: required, not set\n")
