"""What is said around an answer."""

from pathlib import Path

import pytest

from parley.adapters.files import load_defaults
from parley.channels import wording

CHANNELS = load_defaults(Path(__file__).parents[2] / "config" / "integrations.yaml").channels


@pytest.mark.parametrize("channel", CHANNELS)
def test_another_channel_is_called_by_its_name(channel, job):
    """As people call it, the same as in what explains a plan; never the word of our own files."""
    said = wording.note(job(also_by=(channel,)))

    assert said == f"This may also have reached you by {CHANNELS[channel].name}."
