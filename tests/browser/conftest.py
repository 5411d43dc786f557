"""
The page as people use it: a real Chromium, request-api as a process of its own, a real PostgreSQL.

Turns are played by the test, through the store that agent-turn uses: what happens when is then the test's to say. Every
page fails its test when the browser reports an error, or a violation of the policy.
"""

import shutil
from collections.abc import Iterator

import pytest
from browser.stage import Stage
from databases import as_role, fresh, run
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from processes import FUNCTIONS, FunctionProcess

from devkit.serving import LocalServer, Reply
from parley import envelope
from parley.adapters.postgres.database import Database

expect.set_options(timeout=45_000)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests."""
    path = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    assert path, "there is no chromium: sh lib/devkit/chromium.sh"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def stage(postgres_server, database_template, tmp_path_factory) -> Iterator[Stage]:
    """request-api with a broker that keeps what it is given; each stream is cut after a second."""
    events: list[envelope.Event] = []

    def keep(request):
        events.append(envelope.parse(request.headers, request.body))
        return Reply(202)

    log = tmp_path_factory.mktemp("page") / "log"
    with fresh(postgres_server, database_template) as url, LocalServer(keep) as broker:
        settings = {
            "DATABASE_URL": as_role(url, "request-api"), "K_SINK": broker.url,
            "WEBHOOK_SIGNING_KEY": "a signing key", "THREADS": "24",
            "STREAM_SECONDS": "1", "CONFIG_DIR": str(FUNCTIONS.parent / "config"), "CALLS_PER_MINUTE": "100000",
            "CALLS_AT_ONCE": "1000",
        }  # fmt: skip
        database = Database(url, name="test")
        with FunctionProcess(FUNCTIONS / "request-api", log, **settings) as process:
            yield Stage(process.url, database, events)
        database.close()


@pytest.fixture
def context(chromium: Browser, stage: Stage) -> Iterator[BrowserContext]:
    """A browser window of somebody new, whose errors are the test's."""
    context = chromium.new_context(base_url=stage.url, viewport={"width": 1280, "height": 820}, locale="en-GB")
    context.add_init_script(
        "addEventListener('securitypolicyviolation', (event) =>"
        " console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))"
    )
    faults: list[str] = []
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    yield context
    context.close()
    assert [fault for fault in faults if not stage.expects(fault)] == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page of this window."""
    page = context.new_page()
    page.set_default_timeout(60_000)  # of a machine that does a lot besides
    return page


@pytest.fixture
def ann(page: Page, stage: Stage) -> Page:
    """The page of somebody new, who has signed in."""
    stage.sign_in(page)
    return page


@pytest.fixture
def database_rows(stage: Stage):
    """Read rows past the API."""
    return lambda statement, *values: run(stage.database.url, statement, *values)
