"""
Slash commands: `/parley ask …`, `status`, `person …`, `preferences`, `new`, `help`. Slack never sends one again.

Source: https://docs.slack.dev/interactivity/implementing-slash-commands
"""

from collections.abc import Mapping
from typing import Any

from parley.channels import slack_actions, slack_views
from parley.channels.slack_inbound.found import LONGEST_ID, LONGEST_TEXT, Found, ephemeral, ids, text

HELP = (
    "*What you can do here*\n"
    "• `/parley ask` _your question_ - I answer in our direct messages\n"
    "• `/parley status` - what is open, and what came of it\n"
    "• `/parley person` or `/parley person:` _why_ - hand your last question to a person, with what we said\n"
    "• `/parley preferences` - by which channels answers reach you, and your quiet hours\n"
    "• `/parley new` - forget what we were talking about\n"
    "Or just write to me: in our direct messages, or by mentioning me in a channel."
)
LONGEST_REASON = 500  # characters
SORRY = "I cannot take this at the moment, and nothing was kept of it. Please try again in a minute."


def command(fields: Mapping[str, str]) -> Found:
    """Read one slash command."""
    found = ids(*(fields.get(name) for name in ("team_id", "user_id", "channel_id", "trigger_id")))
    if found is None:
        return Found(ignored="incomplete")
    name, rest = _read(text(fields.get("text")).strip())
    if name in ("", "help") or (name == "ask" and not rest):
        return Found(answer=ephemeral(HELP))
    return _asked(fields, rest[:LONGEST_TEXT]) if name == "ask" else _about_us(fields, name, rest)


def _read(said: str) -> tuple[str, str]:
    """Give the command and what comes with it. Who just asks, asks: `new laptop, please` is no command."""
    word, *more = said.split(maxsplit=1) or [""]
    name, rest = word.lower(), more[0] if more else ""
    if name == "person:":
        return "person", rest
    if name == "ask" or (not rest and name in ("", *slack_actions.COMMANDS)):
        return name, rest
    return "ask", said


def _asked(fields: Mapping[str, str], question: str) -> Found:
    data = {**_data(fields, "message"), "conversation": fields["user_id"], "is_direct": True, "text": question}
    here = fields["channel_id"].startswith("D")
    return Found(
        data=data,
        answer=ephemeral("I am on it." if here else "I am on it, and answer in our direct messages."),
        sorry=ephemeral(SORRY),
    )


def _about_us(fields: Mapping[str, str], name: str, rest: str) -> Found:
    data = {**_data(fields, "command"), "name": name}
    if name == "person":
        data |= {"name": "escalate", "text": rest[:LONGEST_REASON]}
    sorry = ephemeral(SORRY)
    if name == "preferences":
        return Found(
            data=data,
            view=slack_views.loading(),
            trigger=fields["trigger_id"],
            workspace=data["workspace"],
            enterprise=data["enterprise"],
            sorry=sorry,
        )
    return Found(data=data, sorry=sorry)


def _data(fields: Mapping[str, str], kind: str) -> dict[str, Any]:
    workspace, whole = fields["team_id"], fields.get("is_enterprise_install") == "true"
    return {
        "kind": kind,
        "origin": "slack",
        "key": f"slack:{workspace}:command:{fields['trigger_id']}",
        "workspace": workspace,
        "enterprise": text(fields.get("enterprise_id"))[:LONGEST_ID] if whole else "",
        "sender": fields["user_id"],
        "conversation": fields["channel_id"],
        "is_direct": fields["channel_id"].startswith("D"),
        "reply_url": text(fields.get("response_url"))[:500],
    }
