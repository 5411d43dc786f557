"""deliver-test from its folder: what it would have sent can be read."""

import importlib.util
from pathlib import Path
from uuid import UUID

import pytest

from parley.domain.delivery import Due
from parley.errors import Unavailable

FOLDER = Path(__file__).parents[2] / "functions" / "deliver-test"


def test_what_would_be_sent_is_kept(answered, rank, deliver, row):
    """The attempt keeps the answer whole."""
    (due,) = answered(rank("test", 1, to="x"), text="Hello")

    assert deliver("test")(due) == (202, None)

    kept = row("select sent from delivery_attempts")["sent"]
    assert (kept["text"], kept["citations"][0]["title"]) == ("Hello", "VPN")


def test_a_delivery_that_does_not_exist_is_done(deliver):
    """An event without a row has nothing to say and harms nothing."""
    assert deliver("test")(Due(UUID(int=9), "test", UUID(int=8), UUID(int=7))) == (202, None)


def test_ready_needs_the_schema(postgres_server):
    """A database without our tables keeps the function from being ready."""
    spec = importlib.util.spec_from_file_location("func", FOLDER / "func.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.function.configure({"DATABASE_URL": postgres_server})

    with pytest.raises(Unavailable, match="migrations"):
        module.function.ready()

    module.function.close()
