"""A short chaos run: everything is killed once while the world misbehaves, and every promise is kept."""

import os
import random
from dataclasses import replace

import pytest

from chaos.run import run
from chaos.script import Harm, write

HARMS = (
    Harm(1.0, "function", "agent-turn"), Harm(2.5, "postgres", down=0.5), Harm(4.0, "function", "deliver-slack"),
    Harm(5.0, "host"),
)  # fmt: skip


@pytest.mark.timeout(150)
def test_every_promise_is_kept(tmp_path):
    """Nothing lost, nothing twice, nothing out of order, no table grown; with CHAOS_SEED it goes as it went before."""
    seed = int(os.environ.get("CHAOS_SEED", random.randrange(10**6)))
    print(f"CHAOS_SEED={seed}")
    script = replace(write(seed, 60, 8), harms=HARMS)

    report = run(script, tmp_path / "parley", settle=90, pace=0.02)

    assert report.error is None
    assert (report.left, report.grown) == ([], {})
    assert not report.verdict.failed, report.verdict
    assert report.verdict.accepted > 20
