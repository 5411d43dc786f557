"""
Buttons, forms, shortcuts and option look-ups. Slack never sends one again.

Source: https://docs.slack.dev/reference/interaction-payloads
"""

import json
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any

from parley.channels import slack_actions, slack_views
from parley.channels.slack_inbound.commands import SORRY
from parley.channels.slack_inbound.found import LONGEST_ID, LONGEST_TEXT, Found, ids, mapping, objects, text

_FIELD = "The field is needed."
LONGEST_QUOTE = 2800  # characters of the message whose button was pressed
_TIME = "Both times, or none."


def interaction(payload: Mapping[str, Any]) -> Found:
    """Read one interaction."""
    read = _KINDS.get(text(payload.get("type")))
    if read is None:
        return Found(ignored="an interaction that we do not use")
    workspace, user = _workspace(payload), mapping(payload.get("user"))
    found = ids(workspace, user.get("id"))
    if found is None:
        return Found(ignored="incomplete")
    if _is_outsider(payload, workspace):
        return Found(ignored="done by somebody outside of the workspace")
    base = {"origin": "slack", "workspace": found[0], "sender": found[1]}
    if payload.get("is_enterprise_install") is True:
        base["enterprise"] = text(mapping(payload.get("enterprise")).get("id"))[:LONGEST_ID]
    return read(payload, base)


def _workspace(payload: Mapping[str, Any]) -> str:
    """Name the workspace that we were installed in; `team` is null in an organisation, another one in Slack Connect."""
    view = mapping(payload.get("view"))
    team, user = mapping(payload.get("team")), mapping(payload.get("user"))
    named = (view.get("app_installed_team_id"), team.get("id"), user.get("team_id"))
    return next((text(one) for one in named if text(one)), "")


def _is_outsider(payload: Mapping[str, Any], workspace: str) -> bool:
    team = text(mapping(payload.get("user")).get("team_id"))
    ours = {workspace, text(mapping(payload.get("enterprise")).get("id"))} - {""}
    return bool(team) and team not in ours


# --- buttons ---


def _clicked(payload: Mapping[str, Any], base: dict[str, Any]) -> Found:
    actions = objects(payload.get("actions"))
    if not actions:
        return Found(ignored="incomplete")
    action = actions[0]
    if kind := _OPENS.get(text(action.get("action_id"))):
        return _opens(payload, base, kind)
    container = mapping(payload.get("container"))
    place = text(container.get("message_ts")) or text(container.get("view_id"))
    found = ids(place, action.get("action_ts"))
    details = _deed(action)
    if found is None or details is None:
        return Found(ignored="a button that is not ours")
    kept = details["kind"] == "action"  # what was decided stays to be read
    channel = text(mapping(payload.get("channel")).get("id"))[:LONGEST_ID] or base["sender"]
    key = f"slack:{base['workspace']}:click:{found[0]}:{details['kind']}:{found[1]}"
    return Found(
        data={
            **base,
            **details,
            "key": key,
            "conversation": channel,
            "is_direct": channel.startswith("D"),
            "thread": text(container.get("thread_ts"))[:LONGEST_ID],
            "reply_url": text(payload.get("response_url"))[:500],
            **({"text": text(mapping(payload.get("message")).get("text"))[:LONGEST_QUOTE]} if kept else {}),
        }
    )


def _deed(action: Mapping[str, Any]) -> dict[str, Any] | None:
    """Say what a button of ours does: kind, what it is about, and how."""
    name, value = text(action.get("action_id")), text(action.get("value"))[:200]
    first, _, second = value.partition(":")
    match name:
        case slack_actions.APPROVE | slack_actions.DENY if first and second:
            decision = "approve" if name == slack_actions.APPROVE else "deny"
            return {"kind": "action", "about": first, "values": {"digest": second, "decision": decision}}
        case slack_actions.VOTE if first in ("good", "bad") and second:
            return {"kind": "vote", "about": second, "values": {"rating": first}}
        case slack_actions.STOP | slack_actions.CANCEL:
            return {"kind": "stop", "about": value}
        case slack_actions.ESCALATE if value:
            return {"kind": "command", "name": "escalate", "about": value}
    return None


def _opens(payload: Mapping[str, Any], base: dict[str, Any], kind: str) -> Found:
    """Open a form at once: a trigger lives for three seconds."""
    found = ids(payload.get("trigger_id"))
    if found is None:
        return Found(ignored="incomplete")
    if kind == slack_actions.ASK:
        return Found(
            view=slack_views.ask(), trigger=found[0], workspace=base["workspace"], enterprise=base.get("enterprise", "")
        )
    data = {
        **base,
        "kind": "command",
        "name": "preferences",
        "key": f"slack:{base['workspace']}:trigger:{found[0]}",
        "conversation": base["sender"],
        "is_direct": True,
    }
    return Found(
        view=slack_views.loading(),
        trigger=found[0],
        data=data,
        workspace=base["workspace"],
        enterprise=base.get("enterprise", ""),
    )


_OPENS = {slack_actions.OPEN_ASK: slack_actions.ASK, slack_actions.OPEN_PREFERENCES: slack_actions.PREFERENCES}


# --- shortcuts ---


def _shortcut(payload: Mapping[str, Any], base: dict[str, Any]) -> Found:
    if payload.get("callback_id") != slack_actions.ASK:
        return Found(ignored="a shortcut that is not ours")
    return _opens(payload, base, slack_actions.ASK)


def _about_message(payload: Mapping[str, Any], base: dict[str, Any]) -> Found:
    """The shortcut "ask Parley about this": the message is quoted in the form, and the answer comes directly."""
    message = mapping(payload.get("message"))
    found = ids(payload.get("trigger_id"))
    if payload.get("callback_id") != slack_actions.ASK_ABOUT or found is None:
        return Found(ignored="a shortcut that is not ours")
    view = slack_views.ask(quoted=unescape(text(message.get("text"))))
    return Found(view=view, trigger=found[0], workspace=base["workspace"], enterprise=base.get("enterprise", ""))


# --- forms ---


def _submitted(payload: Mapping[str, Any], base: dict[str, Any]) -> Found:
    view = mapping(payload.get("view"))
    found = ids(view.get("id"))
    read = _FORMS.get(text(view.get("callback_id")))
    if found is None or read is None:
        return Found(ignored="a form that is not ours")
    hash_ = text(view.get("hash"))[:100]
    data = {
        **base,
        "key": f"slack:{base['workspace']}:view:{found[0]}:{hash_}",
        "conversation": base["sender"],
        "is_direct": True,
    }
    return read(view, data)


def _question(view: Mapping[str, Any], data: dict[str, Any]) -> Found:
    values = _values(view)
    question = values.get(slack_actions.QUESTION, "").strip()
    if not question:
        return Found(answer=_errors({slack_actions.QUESTION: _FIELD}))
    try:
        quoted = mapping(json.loads(text(view.get("private_metadata")) or "{}")).get("quoted")
    except ValueError:
        quoted = None
    said = f"{question}\n\n> " + text(quoted).replace("\n", "\n> ") if quoted else question
    return Found(
        data={**data, "kind": "message", "text": said[:LONGEST_TEXT]}, sorry=_errors({slack_actions.QUESTION: SORRY})
    )


def _preferences(view: Mapping[str, Any], data: dict[str, Any]) -> Found:
    values = _values(view)
    begin, end = values.get(slack_actions.QUIET_FROM, ""), values.get(slack_actions.QUIET_UNTIL, "")
    if bool(begin) != bool(end):
        return Found(answer=_errors({slack_actions.QUIET_UNTIL if begin else slack_actions.QUIET_FROM: _TIME}))
    kept = {name: value for name, value in values.items() if name in slack_views.PREFERENCE_FIELDS}
    shown = slack_actions.QUIET_FROM
    return Found(
        data={**data, "kind": "submitted", "name": "preferences", "values": kept}, sorry=_errors({shown: SORRY})
    )


_FORMS: Mapping[str, Callable[[Mapping[str, Any], dict[str, Any]], Found]] = {
    slack_actions.ASK: _question,
    slack_actions.PREFERENCES: _preferences,
}


def _closed(_payload: Mapping[str, Any], _base: dict[str, Any]) -> Found:
    return Found(ignored="a form was closed")


def _values(view: Mapping[str, Any]) -> dict[str, str]:
    """Give what was filled in, by block: the text, the time or the chosen option of each."""
    state = mapping(mapping(view.get("state")).get("values"))
    found = {}
    for block, elements in list(state.items())[:40]:
        for element in objects(list(mapping(elements).values())):
            chosen = mapping(element.get("selected_option")).get("value")
            picked = [text(one.get("value")) for one in objects(element.get("selected_options"))]
            value = text(element.get("value")) or text(chosen) or text(element.get("selected_time")) or ",".join(picked)
            found[text(block)[:40]] = value[:LONGEST_TEXT]
    return found


def _errors(fields: Mapping[str, str]) -> dict[str, Any]:
    return {"response_action": "errors", "errors": dict(fields)}


# --- options ---


def _options(payload: Mapping[str, Any], _base: dict[str, Any]) -> Found:
    if payload.get("action_id") != slack_actions.TIMEZONE:
        return Found(answer={"options": []})
    return Found(answer={"options": slack_views.timezones(text(payload.get("value")))})


_KINDS: Mapping[str, Callable[[Mapping[str, Any], dict[str, Any]], Found]] = {
    "block_actions": _clicked,
    "shortcut": _shortcut,
    "message_action": _about_message,
    "view_submission": _submitted,
    "view_closed": _closed,
    "block_suggestion": _options,
}
USED = frozenset(_KINDS)
