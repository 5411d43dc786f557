"""Protections that are taken away, one at a time: a simulation that does not notice shows nothing."""

import pytest

from simulation.mutations import MUTATIONS
from simulation.runs import notices


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_a_protection_that_is_off_is_noticed(ground, mutation):
    assert notices(ground, mutation, range(600))
