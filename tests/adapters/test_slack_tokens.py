"""Tokens of many workspaces: sealed at rest, refreshed by one process at a time, gone when we are removed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from cryptography.fernet import Fernet

from devkit.slack import ALICE, Fault, SlackStandIn
from parley.adapters.postgres.installations import Installations
from parley.adapters.sealing import Seal
from parley.adapters.slack_tokens import Tokens
from parley.errors import Misconfigured, Rejected, Unavailable

KEY = Fernet.generate_key().decode()
ALLOWED = ("T0PARLEY1", "T7", "E1")
REDIRECT = "https://parley.example/slack/oauth_redirect"


@pytest.fixture
def slack():
    with SlackStandIn() as stand_in:
        yield stand_in


@pytest.fixture
def store(database):
    seal = Seal("SLACK_TOKEN_KEY", [KEY])
    return Installations(database, seal.close, seal.open)


@pytest.fixture
def tokens(slack, store):
    """Make what a process knows; `now` moves its clock."""

    def make():
        return Tokens(store, slack.api_url, slack.oauth.client_id, slack.oauth.client_secret, clock=lambda: make.now)

    make.now = 0.0
    return make


def age(database_url, interval):
    """Let the tokens' end come nearer."""
    with psycopg.connect(database_url) as connection:
        connection.execute(f"update slack_installations set expires_at = expires_at - interval '{interval}'")


def test_code_becomes_a_token_that_opens(slack, tokens):
    """After an installation, the workspace's own token is used; one that has not installed us is refused."""
    tokens().install(slack.oauth.agree(), REDIRECT, ALLOWED)

    answer, data = tokens()("T0PARLEY1", None).call(5, lambda client: client.users_info(user=ALICE))

    assert (answer.status, data["user"]["id"]) == (200, ALICE)
    with pytest.raises(Rejected, match="not installed"):
        tokens()("T9", None)


@pytest.mark.parametrize("code", ["code-9", ""])
def test_code_that_is_none_installs_nothing(tokens, store, code):
    """Slack refuses it, and nothing is kept."""
    with pytest.raises(Rejected, match="invalid_code"):
        tokens().install(code, REDIRECT, ALLOWED)

    assert store.find("T0PARLEY1") is None


def test_code_works_once(slack, tokens):
    """A page that is loaded again installs nothing twice."""
    code = slack.oauth.agree()
    tokens().install(code, REDIRECT, ALLOWED)

    with pytest.raises(Rejected, match="invalid_code"):
        tokens().install(code, REDIRECT, ALLOWED)


def test_organisation_opens_its_workspaces(slack, tokens):
    """Installed as a whole, one token serves all; a workspace's own installation comes first."""
    tokens().install(slack.oauth.agree(team=None, enterprise="E1"), REDIRECT, ALLOWED)
    whole = tokens().token("T7", "E1")
    tokens().install(slack.oauth.agree(team="T7", enterprise="E1"), REDIRECT, ALLOWED)

    assert tokens().token("T7", "E1") != whole == tokens().token("T8", "E1")


def test_tokens_are_sealed_at_rest(slack, tokens, database_url):
    """A dump of the database opens no workspace, and a new key can take over while the old one still opens."""
    tokens().install(slack.oauth.agree(rotates=True), REDIRECT, ALLOWED)
    token = tokens().token("T0PARLEY1")

    with psycopg.connect(database_url) as connection:
        [row] = connection.execute("select bot_token, refresh_token from slack_installations").fetchall()
    assert all(b"xox" not in bytes(value) for value in row)
    assert Seal("X", [Fernet.generate_key().decode(), KEY]).open(row[0]) == token
    with pytest.raises(Rejected, match="none of our keys"):
        Seal("X", [Fernet.generate_key().decode()]).open(row[0])


@pytest.mark.parametrize("key", ["", "short", "x" * 44])
def test_key_that_is_none_is_named(key):
    """By its variable, not by its value."""
    with pytest.raises(Misconfigured, match=r"^SLACK_TOKEN_KEY: each key is 32 bytes"):
        Seal("SLACK_TOKEN_KEY", [key])


def test_tick_refreshes_what_nobody_uses(slack, tokens, store, database_url):
    """A workspace that is quiet keeps a token that opens; one that is fresh is left alone."""
    tokens().install(slack.oauth.agree(rotates=True), REDIRECT, ALLOWED)
    before = tokens().token("T0PARLEY1")
    tokens().refresh_all()
    assert tokens().token("T0PARLEY1") == before

    age(database_url, "11 hours")
    tokens().refresh_all()

    found = store.find("T0PARLEY1")
    assert (found.token != before, found.is_stale) == (True, False)


def test_refusal_of_one_keeps_the_tick_from_none(slack, tokens, store, database_url, caplog):
    """One refresh token that Slack refuses is said in the log; the others are refreshed all the same."""
    for team in ("T0PARLEY1", "T7", "E1"):
        tokens().install(slack.oauth.agree(team=team, rotates=True), REDIRECT, ("T0PARLEY1", "T7", "E1"))
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "update slack_installations set refresh_token = %s, expires_at = now() where workspace = 'T7'",
            [store._close("xoxe-spent")],
        )
        connection.execute("update slack_installations set bot_token = 'no seal of ours' where workspace = 'E1'")
    age(database_url, "11 hours")

    tokens().refresh_all()

    assert not store.find("T0PARLEY1").is_stale
    assert caplog.text.count("a token was not refreshed") == 2


def test_token_that_still_works_is_used_whatever_becomes_of_its_refresh(slack, tokens, store, database_url):
    """Slack refuses to refresh it: until it expires, the old one opens."""
    tokens().install(slack.oauth.agree(rotates=True), REDIRECT, ALLOWED)
    old = store.find("T0PARLEY1").token
    with psycopg.connect(database_url) as connection:
        connection.execute("update slack_installations set refresh_token = %s", [store._close("xoxe-spent")])
    age(database_url, "11 hours")

    assert tokens().token("T0PARLEY1") == old


def test_stale_token_is_refreshed_by_one_of_many(slack, tokens, database_url):
    """Twenty processes find it stale at once: Slack is asked once, and everybody has a token that opens."""
    tokens().install(slack.oauth.agree(rotates=True), REDIRECT, ALLOWED)
    age(database_url, "11 hours")
    start = threading.Barrier(20)

    def ask(_):
        start.wait()
        return tokens().token("T0PARLEY1")

    with ThreadPoolExecutor(20) as pool:
        given = set(pool.map(ask, range(20)))

    refreshes = [call for call in slack.calls("oauth.v2.access") if call["error"] is None]
    assert len(refreshes) == 2  # the installation, and one refresh
    assert {slack.oauth.is_valid(token) for token in given} == {""}
    assert tokens().token("T0PARLEY1") in given


def test_token_works_on_while_slack_cannot_refresh_it(slack, tokens, database_url):
    """The old one has two hours left; when it is over, whoever needs it tries again later."""
    tokens().install(slack.oauth.agree(rotates=True), REDIRECT, ALLOWED)
    age(database_url, "11 hours")
    slack.fail(Fault("status", status=500, method="oauth.v2.access", times=2))
    old = tokens().token("T0PARLEY1")

    age(database_url, "2 hours")

    assert slack.oauth.is_valid(old) == ""
    with pytest.raises(Unavailable):
        tokens().token("T0PARLEY1")


def test_refresh_that_died_is_taken_over(slack, tokens, store, database_url):
    """A process that was killed while it refreshed holds nobody up for longer than its lease."""
    tokens().install(slack.oauth.agree(rotates=True), REDIRECT, ALLOWED)
    age(database_url, "13 hours")
    assert store.take_refresh(store.find("T0PARLEY1"))
    with pytest.raises(Unavailable, match="another process"):
        tokens().token("T0PARLEY1")

    with psycopg.connect(database_url) as connection:
        connection.execute("update slack_installations set refresh_until = now() - interval '1 second'")

    assert slack.oauth.is_valid(tokens().token("T0PARLEY1")) == ""


def test_workspace_that_has_removed_us_is_forgotten(slack, tokens, store):
    """Within a minute in every process, at once in a new one."""
    process = tokens()
    process.install(slack.oauth.agree(), REDIRECT, ALLOWED)
    token = process.token("T0PARLEY1")

    assert store.remove("T0PARLEY1")
    assert not store.remove("T0PARLEY1")

    assert process.token("T0PARLEY1") == token
    tokens.now += 61
    with pytest.raises(Rejected, match="not installed"):
        process.token("T0PARLEY1")


def test_nothing_is_remembered_that_was_not_asked(slack, tokens):
    """Between two calls the store is not asked again, within a minute."""
    process = tokens()
    process.install(slack.oauth.agree(), REDIRECT, ALLOWED)

    assert process.token("T0PARLEY1") == process.token("T0PARLEY1")
    assert len(slack.calls("oauth.v2.access")) == 1


def test_workspace_that_is_not_on_the_list_is_given_back(slack, tokens, store):
    """Whoever finds the page adds us nowhere else: the token is revoked, and nothing is kept."""
    with pytest.raises(Rejected, match="not on the list"):
        tokens().install(slack.oauth.agree(team="T9"), REDIRECT, ALLOWED)

    assert store.find("T9") is None
    assert slack.calls("auth.revoke")[0]["error"] is None
    assert slack.oauth.is_valid("xoxb-2") == "invalid_auth"
