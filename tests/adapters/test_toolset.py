"""What goes from a tool to a model."""

from uuid import UUID

import pytest

from parley.adapters.toolset import CUT, LARGEST, Toolset
from parley.agents.tools import SEARCH, Toolbox
from parley.ports import OnBehalf

WHO = OnBehalf(UUID(int=1), "desk")


@pytest.mark.parametrize(
    ("said", "told"),
    [("x" * LARGEST, "x" * LARGEST), ("x" * (LARGEST + 1), "x" * LARGEST + CUT)],
    ids=["fits", "too long"],
)
def test_a_result_is_limited_and_says_so(said, told):
    """A model would pay for the rest, and forget what it was told before."""
    tools = Toolset(Toolbox(), None, lambda _: (None, ()), search=lambda *_: said)

    assert tools.run(SEARCH, {"query": "laptop"}, UUID(int=2), WHO) == told
