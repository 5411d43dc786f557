"""The test channel keeps everything."""

import json

from parley.channels import test


def test_all_that_would_be_said_is_kept(job):
    """What a test reads over the API is JSON with the answer, its citations and its place."""
    kept = test.render(job("Hello", citations=({"title": "VPN"},), also_by=("email",)))

    assert json.loads(json.dumps(kept)) == kept
    assert (kept["text"], kept["citations"], kept["also_by"]) == ("Hello", [{"title": "VPN"}], ["email"])
