"""Our app is added to a workspace: only from a page that was opened here, only to workspaces on the list."""

from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.fernet import Fernet

from devkit.slack import SlackStandIn
from parley.adapters.postgres.database import Database
from parley.adapters.slack_tokens import tokens
from parley.api.slack_install import COOKIE, InstallSettings, slack_app
from parley.errors import Misconfigured

PUBLIC = "https://parley.example"
SETTINGS = {
    "slack_token_key": (Fernet.generate_key().decode(),), "slack_client_id": "1.2", "slack_workspaces": ("T0PARLEY1",),
    "slack_client_secret": "stand-in-client-secret", "public_url": PUBLIC,
}  # fmt: skip


@pytest.fixture
def slack():
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def settings(slack):
    return InstallSettings(**SETTINGS, slack_api_url=slack.api_url)


@pytest.fixture
def browser(api, client, database, settings):
    """A browser without a key; `app.clock` can be moved."""
    app = slack_app(settings, database)
    api.desk.rules.slack_app, api.desk.rules.public_url = app, PUBLIC
    stranger = client.application.test_client(use_cookies=False)
    stranger.app = app
    return stranger


def begin(browser):
    """Open the page; gives what it sends to Slack, and the cookie."""
    answer = browser.get("/slack/install")
    assert answer.status_code == 302
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly; SameSite=Lax; Secure" in cookie
    asked = {name: value[0] for name, value in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
    return asked, cookie.partition(";")[0]


def come_back(browser, cookie, **query):
    return browser.get("/slack/oauth_redirect", query_string=query, headers={"Cookie": cookie} if cookie else {})


def test_workspace_on_the_list_adds_the_app(browser, slack, settings, database, rows):
    """The token is kept and opens; the act is in the audit log; the cookie is used up."""
    asked, cookie = begin(browser)
    code = slack.oauth.agree(redirect=asked["redirect_uri"])

    answer = come_back(browser, cookie, code=code, state=asked["state"])

    assert (answer.status_code, asked["redirect_uri"]) == (200, f"{PUBLIC}/slack/oauth_redirect")
    assert f"{COOKIE}=;" in answer.headers["Set-Cookie"]
    assert tokens(settings, database).token("T0PARLEY1").startswith("xoxb-")
    assert [row["action"] for row in rows("select action from audit_log")] == ["slack.installed"]


def test_workspace_that_is_not_on_the_list_does_not(browser, slack, rows):
    """403, nothing kept, and the token given back."""
    asked, cookie = begin(browser)

    answer = come_back(browser, cookie, code=slack.oauth.agree(team="T9"), state=asked["state"])

    assert answer.status_code == 403
    assert rows("select * from slack_installations") == []
    assert len(slack.calls("auth.revoke")) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _, cookie: ({}, cookie),
        lambda state, _: ({"state": state}, None),  # another browser
        lambda state, _: ({"state": state}, f"{COOKIE}=x"),
        lambda state, _: ({"state": f"{state[:-1]}x"}, f"{COOKIE}={state[:-1]}x"),  # forged
        lambda _, cookie: ({"state": "é"}, cookie),
    ],
)
def test_page_that_was_not_opened_here_installs_nothing(browser, slack, rows, spoil):
    """`state` must be ours, whole, and that of this browser: nobody is made to install somebody else's code."""
    asked, cookie = begin(browser)
    sent, held = spoil(asked["state"], cookie)

    answer = come_back(browser, held, code=slack.oauth.agree(), **sent)

    assert answer.status_code == 400
    assert slack.calls("oauth.v2.access") == []
    assert rows("select * from slack_installations") == []


def test_page_that_was_opened_too_long_ago_installs_nothing(browser, slack):
    """Ten minutes."""
    asked, cookie = begin(browser)
    now = browser.app.clock()
    browser.app.clock = lambda: now + 601

    assert come_back(browser, cookie, code=slack.oauth.agree(), state=asked["state"]).status_code == 400


def test_person_who_says_no_is_told_that_nothing_happened(browser, slack):
    """Slack sends back an error instead of a code."""
    asked, cookie = begin(browser)

    answer = come_back(browser, cookie, error="access_denied", state=asked["state"])

    assert answer.status_code == 400
    assert slack.calls("oauth.v2.access") == []


def test_one_workspace_by_setting_has_no_such_page(client):
    """404, like any path that is none."""
    assert client.get("/slack/install").status_code == 404
    assert client.get("/slack/oauth_redirect").status_code == 404


@pytest.mark.parametrize("missing", ["slack_client_secret", "slack_token_key", "slack_workspaces", "public_url"])
def test_half_of_the_settings_is_refused(database, missing):
    """It does not start open, and the variable is named."""
    settings = InstallSettings(**{**SETTINGS, missing: ()})

    with pytest.raises(Misconfigured, match=missing.upper()):
        slack_app(settings, database)


def test_no_setting_is_no_app():
    """What serves one workspace needs nothing of it."""
    assert slack_app(InstallSettings(), Database("postgresql://nowhere/x", name="x")) is None
