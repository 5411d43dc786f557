"""
Our forms and our Home tab, as Slack's Block Kit wants them. Pure; standard library only.

Sources: https://docs.slack.dev/surfaces/modals (3,000 characters of private_metadata, 24 of a title)
         https://docs.slack.dev/reference/block-kit/blocks and …/block-elements
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from parley.channels import slack_actions as names

PREFERENCE_FIELDS = frozenset(
    {*(f"channel_{name}" for name in names.CHANNELS), names.QUIET_FROM, names.QUIET_UNTIL, names.TIMEZONE}
)
LONGEST_QUOTE = 2500  # characters: private_metadata takes 3,000 of JSON
MOST_OPTIONS = 100
_LONGEST_NAME = 75  # characters of an option
_TITLES = {"slack": "Slack", "email": "E-mail", "sms": "Text message", "webhook": "Webhook"}
_RANKS = ("never", "1", "2", "3", "4")


def loading() -> dict[str, Any]:
    """Give the form of preferences before anything is known of the person: it opens at once, and is filled then."""
    return _modal(names.PREFERENCES, "Preferences", [_section("One moment…")], submit=None)


def ask(quoted: str = "") -> dict[str, Any]:
    """Give the form to ask in; `quoted` is the message that it is about."""
    blocks: list[dict[str, Any]] = []
    quoted = quoted.replace("\x00", "")[:LONGEST_QUOTE]
    while len(json.dumps({"quoted": quoted})) > 3000:
        quoted = quoted[: len(quoted) * 3 // 4]
    if quoted:
        blocks.append(_section(f"About: {quoted[:200]}{'…' if len(quoted) > 200 else ''}", kind="plain_text"))
    element = {
        "type": "plain_text_input",
        "action_id": "text",
        "multiline": True,
        "max_length": 3000,
        "focus_on_load": True,
    }
    blocks.append(_input(names.QUESTION, "Your question", element, hint="The answer comes in our direct messages."))
    view = _modal(names.ASK, "Ask Parley", blocks, submit="Ask")
    return {**view, "private_metadata": json.dumps({"quoted": quoted})} if quoted else view


def preferences(known: Mapping[str, Any]) -> dict[str, Any]:
    """
    Give the form of preferences, filled in.

    `known`: `channels` {name: rank, 0 for never, None for as everybody}, `quiet` (from, until) or None, `timezone`.
    """
    blocks = [_section("In which order may an answer reach you? A question asked in Slack is always answered there.")]
    blocks += [_channel(name, known.get("channels", {}).get(name)) for name in names.CHANNELS]
    begin, end = known.get("quiet") or ("", "")
    blocks += [
        _input(names.QUIET_FROM, "Quiet from", _time(begin), optional=True),
        _input(
            names.QUIET_UNTIL, "Quiet until", _time(end), optional=True,
            hint="What you have just asked is answered all the same.",
        ),
        _input(names.TIMEZONE, "Your time zone", _zone(known.get("timezone")), optional=True),
    ]  # fmt: skip
    return _modal(names.PREFERENCES, "Preferences", blocks, submit="Save")


def home(requests: Sequence[Mapping[str, Any]], known: Mapping[str, Any]) -> dict[str, Any]:
    """
    Give the Home tab.

    `requests`, newest first: `id`, `question`, `state`, `asked` (seconds since 1970); `known` as for `preferences`.
    """
    buttons = [
        _button("Ask a question", names.OPEN_ASK, style="primary"),
        _button("Preferences", names.OPEN_PREFERENCES),
    ]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain("What can I help you with?")},
        _section("Write to me in *Messages*, mention me in a channel, or ask from here."),
        {"type": "actions", "elements": buttons},
        {"type": "divider"},
        {"type": "header", "text": _plain("Your questions")},
    ]
    blocks += [_request(one) for one in requests[:10]] or [_section("_Nothing yet._")]
    blocks += [
        {"type": "divider"},
        {"type": "header", "text": _plain("How answers reach you")},
        _section(_summary(known)),
    ]
    return {"type": "home", "blocks": blocks}


def status(requests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the answer to `/parley status`, seen by who asked for it only."""
    blocks = [_request(one) for one in requests[:10]] or [_section("Nothing of yours is open.")]
    return {"response_type": "ephemeral", "text": "Your questions", "blocks": blocks}


def timezones(typed: str) -> list[dict[str, Any]]:
    """Give the zones whose names hold what was typed, those that begin with it first: at most 100 options."""
    from zoneinfo import available_timezones

    wanted = typed.strip().lower().replace(" ", "_")[:40]
    fitting = [zone for zone in available_timezones() if wanted in zone.lower() and "/" in zone]
    fitting.sort(key=lambda zone: (not zone.rpartition("/")[2].lower().startswith(wanted), zone))
    return [_option(zone.replace("_", " "), zone) for zone in fitting[:MOST_OPTIONS]]


def _request(one: Mapping[str, Any]) -> dict[str, Any]:
    signs = {"completed": "✅", "failed": "⚠️", "cancelled": "🚫", "requires_action": "✋"}
    words = " ".join(str(one["question"]).split())
    shown = _escaped(words[:200] + ("…" if len(words) > 200 else ""))
    when = f"<!date^{int(one['asked'])}^{{date_short_pretty}} {{time}}|asked>"
    block = _section(f"{signs.get(str(one['state']), '⏳')} {shown}\n_{str(one['state']).replace('_', ' ')}, {when}_")
    if one["state"] in ("queued", "running", "requires_action"):
        block["accessory"] = _button("Cancel", names.CANCEL, value=str(one["id"]))
    return block


def _summary(known: Mapping[str, Any]) -> str:
    ranks = known.get("channels", {})
    ordered = sorted((rank, name) for name, rank in ranks.items() if rank)
    never = [_TITLES[name] for name, rank in ranks.items() if rank == 0 and name in _TITLES]
    lines = ["In this order: " + ", ".join(_TITLES[name] for _, name in ordered if name in _TITLES)] if ordered else []
    lines += ["Never: " + ", ".join(never)] if never else []
    if known.get("quiet"):
        lines.append("Quiet from {} until {}".format(*known["quiet"]))
    return "\n".join(lines) or "As everybody: here in Slack."


def _channel(name: str, rank: int | None) -> dict[str, Any]:
    options = [_option("As everybody", "default"), _option("Never", "never")]
    options += [_option(f"{number}. choice", number) for number in _RANKS[1:]]
    value = "default" if rank is None else "never" if rank == 0 else str(rank)
    chosen = next((option for option in options if option["value"] == value), options[0])
    element = {"type": "static_select", "action_id": "rank", "options": options, "initial_option": chosen}
    return _input(f"channel_{name}", _TITLES[name], element)


def _time(value: str) -> dict[str, Any]:
    element = {"type": "timepicker", "action_id": "time", "placeholder": _plain("none")}
    return {**element, "initial_time": value} if value else element


def _zone(zone: Any) -> dict[str, Any]:
    element = {
        "type": "external_select", "action_id": names.TIMEZONE, "min_query_length": 2,
        "placeholder": _plain("Type a city"),
    }  # fmt: skip
    return {**element, "initial_option": _option(str(zone).replace("_", " "), str(zone))} if zone else element


def _modal(callback: str, title: str, blocks: Iterable[Mapping[str, Any]], *, submit: str | None) -> dict[str, Any]:
    view = {
        "type": "modal",
        "callback_id": callback,
        "title": _plain(title),
        "close": _plain("Close"),
        "blocks": [*blocks],
    }
    return {**view, "submit": _plain(submit)} if submit else view


def _input(
    block: str, label: str, element: Mapping[str, Any], *, hint: str = "", optional: bool = False
) -> dict[str, Any]:
    made = {"type": "input", "block_id": block, "label": _plain(label), "element": element, "optional": optional}
    return {**made, "hint": _plain(hint)} if hint else made


def _section(words: str, kind: str = "mrkdwn") -> dict[str, Any]:
    verbatim = {"verbatim": True} if kind == "mrkdwn" else {}
    return {"type": "section", "text": {"type": kind, "text": words[:3000], **verbatim}}


def _button(words: str, action: str, *, value: str = "", style: str = "") -> dict[str, Any]:
    made = {"type": "button", "text": _plain(words), "action_id": action}
    return {**made, **({"value": value} if value else {}), **({"style": style} if style else {})}


def _option(words: str, value: str) -> dict[str, Any]:
    return {"text": _plain(words[:_LONGEST_NAME]), "value": value}


def _plain(words: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": words}


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
