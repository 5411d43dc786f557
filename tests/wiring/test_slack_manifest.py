"""The manifest of the Slack app asks for exactly what the code uses: scopes, events, commands, shortcuts, addresses."""

import re
from urllib.parse import urlsplit

import pytest
import yaml
from wiring.conftest import ROOT

from parley import ingest
from parley.api import slack_install
from parley.channels import slack_actions
from parley.channels.slack_inbound import events, interactions

# What Slack wants for each method (https://docs.slack.dev/reference/methods) and event (…/reference/events).
HISTORY = {"channels:history", "groups:history", "im:history", "mpim:history"}
OF_METHODS = {
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    "chat.startStream": {"chat:write"},
    "chat.appendStream": {"chat:write"},
    "chat.stopStream": {"chat:write"},
    "auth.revoke": set(),
    "users.info": {"users:read", "users:read.email"},
    "users.lookupByEmail": {"users:read.email", "users:read"},
    "conversations.open": {"im:write"},
    "conversations.history": HISTORY,
    "conversations.replies": HISTORY,
    "chat.delete": {"chat:write"},
    "views.open": set(),
    "views.update": set(),
    "views.publish": set(),
    "blocks.validate": set(),
    "files.info": {"files:read"},
    "reactions.add": {"reactions:write"},
    "assistant.threads.setSuggestedPrompts": {"assistant:write"},
    "assistant.threads.setStatus": {"assistant:write"},
    "assistant.threads.setTitle": {"assistant:write"},
    "agents.sessions.setStatus": {"assistant:write"},
}
OF_EVENTS = {
    "app_mention": {"app_mentions:read"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "message.mpim": {"mpim:history"},
    "assistant_thread_started": {"assistant:write"},
}


@pytest.fixture(scope="module")
def manifest():
    return yaml.safe_load((ROOT / "config" / "slack-app-manifest.yaml").read_text(encoding="utf-8"))


def methods():
    """Every method of the Web API that our adapters call."""
    found = set()
    for path in (ROOT / "lib" / "parley" / "adapters").glob("slack*.py"):
        text = path.read_text(encoding="utf-8")
        found |= {name.replace("_", ".", 1) for name in re.findall(r"client\.([a-z]+_[A-Za-z]+)\(", text)}
        found |= set(re.findall(r'"((?:[a-z]+\.)+[a-zA-Z]+)"(?=[,)])', text))
    return found & set(OF_METHODS) | {name for name in found if name.split(".")[0] in ("chat", "views", "users")}


def test_scopes_are_those_that_the_code_uses(manifest):
    """No scope too many, so that administrators need not ask what for; none too few."""
    subscribed = manifest["settings"]["event_subscriptions"]["bot_events"]
    used = set().union(*(OF_METHODS[name] for name in methods()), *(OF_EVENTS.get(name, set()) for name in subscribed))

    assert methods() >= {"chat.postMessage", "views.open", "users.info"}
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == used | {"commands"} == set(slack_install.SCOPES)


def test_events_are_those_that_are_read(manifest):
    """Each subscribed event has a reader, each reader its events; `message` comes from four kinds of conversations."""
    subscribed = manifest["settings"]["event_subscriptions"]["bot_events"]

    assert {name.split(".")[0] for name in subscribed} == events.USED
    assert {name for name in subscribed if "." in name} == {
        f"message.{k}" for k in ("channels", "groups", "im", "mpim")
    }
    assert subscribed == sorted(set(subscribed))


def test_commands_and_shortcuts_are_those_that_are_read(manifest):
    """Names and callback ids are the code's own."""
    features = manifest["features"]

    assert [one["command"] for one in features["slash_commands"]] == [slack_actions.COMMAND]
    assert {(one["type"], one["callback_id"]) for one in features["shortcuts"]} == {
        ("global", slack_actions.ASK),
        ("message", slack_actions.ASK_ABOUT),
    }
    hint = features["slash_commands"][0]["usage_hint"]
    assert all(name in hint for name in slack_actions.COMMANDS if name != "ask")


def test_addresses_are_those_that_are_served(manifest):
    """One host, and the paths of slack-ingest; options are looked up where clicks go."""
    settings, features = manifest["settings"], manifest["features"]
    urls = [
        settings["event_subscriptions"]["request_url"],
        features["slash_commands"][0]["url"],
        settings["interactivity"]["request_url"],
    ]

    assert tuple(urlsplit(url).path for url in urls) == ingest.PATHS
    assert settings["interactivity"]["message_menu_options_url"] == urls[2]
    assert [urlsplit(url).path for url in manifest["oauth_config"]["redirect_urls"]] == [slack_install.PATH]
    assert {urlsplit(url).netloc for url in [*urls, *manifest["oauth_config"]["redirect_urls"]]} == {"parley.example"}


def test_every_kind_of_interaction_is_read():
    """Slack's documented kinds, but those of interactive messages and dialogs, which it has retired."""
    assert {
        "block_actions", "block_suggestion", "message_action", "shortcut", "view_closed", "view_submission",
    } == interactions.USED  # fmt: skip


def test_texts_keep_slacks_limits(manifest):
    """https://docs.slack.dev/reference/app-manifest: lengths that are refused when they are exceeded."""
    shown, features = manifest["display_information"], manifest["features"]

    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert len(features["bot_user"]["display_name"]) <= 80
    assert len(features["agent_view"]["agent_description"]) <= 300
    assert all(len(one["name"]) <= 24 and len(one["description"]) <= 150 for one in features["shortcuts"])
    assert all(len(one["description"]) <= 2000 and len(one["usage_hint"]) <= 1000 for one in features["slash_commands"])
