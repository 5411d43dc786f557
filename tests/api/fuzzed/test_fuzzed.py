"""The running API is called with everything that its description allows, and much that it does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from api.installed.answering import answering
from databases import as_role, fresh
from processes import FUNCTIONS, ROOT, FunctionProcess, environment

from devkit.oidc import OpenIdProvider

HERE = Path(__file__).parent


ALL = "examples,coverage,fuzzing,stateful"


@pytest.fixture(params=[("parley-admin", "coverage,fuzzing"), ("none", "examples,stateful")], ids=["admin", "user"])
def running(request, postgres_server, database_template, tmp_path):
    """request-api with answers at once; gives the process and a token, which outlives the erasure of its user."""
    with fresh(postgres_server, database_template) as url, OpenIdProvider() as provider, answering(url) as broker:
        settings = {
            "DATABASE_URL": as_role(url, "request-api"), "K_SINK": broker,
            "WEBHOOK_SIGNING_KEY": "k" * 32, "THREADS": "40",
            "CALLS_PER_MINUTE": "1000000", "CALLS_AT_ONCE": "1000", "STREAM_SECONDS": "1",
            "OIDC_ISSUER": provider.issuer, "OIDC_AUDIENCE": provider.audience, "CONFIG_DIR": str(ROOT / "config"),
        }  # fmt: skip
        with FunctionProcess(FUNCTIONS / "request-api", tmp_path / "log", **settings) as process:
            role, phases = request.param
            token = provider.token("ann", roles=[role], email="ann@example.org", email_verified=True)
            yield process, token, phases


def test_api_keeps_its_description(running, tmp_path):
    """
    No 5xx, no answer that is not described, nothing wrong accepted and nothing right refused, no call without a key.

    FUZZ_EXAMPLES: how many calls for each operation, and then in all ways for both; `make fuzz` makes many.
    """
    process, token, phases = running
    examples = os.environ.get("FUZZ_EXAMPLES")

    done = subprocess.run(
        [Path(sys.executable).with_name("schemathesis"), "--config-file", HERE / "schemathesis.toml", "--no-color",
         "run", f"{process.url}/openapi.json", "--header", f"Authorization: Bearer {token}", "--checks", "all",
         "--phases", ALL if examples else phases, "--max-examples", examples or "2", "--continue-on-failure"],
        env=environment(PYTHONPATH=f"{HERE}"), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=1500,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert not [line for line in process.lines() if line["level"] == "error"]
