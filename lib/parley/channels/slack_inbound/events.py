"""
The Events API: what people say, and what happens to messages and to our app.

Sources: https://docs.slack.dev/reference/events/message (subtypes), …/app_mention, …/app_home_opened,
         …/agent_session_stopped, …/assistant_thread_started, …/tokens_revoked, …/app_uninstalled
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import unescape
from typing import Any

from parley.channels.slack_inbound.found import LONGEST_ID, LONGEST_TEXT, Found, ids, mapping, objects, text

# The subtypes that a person's own message can have, besides none. All others tell of changes, joins, bots.
_SAID = frozenset({"file_share", "thread_broadcast"})
_MOST_FILES = 10
# `<#C1|general>`, `<!here>`, `<!subteam^S1|@desk>`, `<https://x|label>`, `<mailto:a@b|a@b>`: what people write cannot
# look like this, since Slack escapes it.
_REFERENCE = re.compile(r"<([#!]?)([^<>|@#!][^<>|]*)(?:\|([^<>]*))?>")


def event(payload: Mapping[str, Any]) -> Found:
    """Read one request of the Events API."""
    kind = payload.get("type")
    if kind == "url_verification":
        return Found(answer={"challenge": text(payload.get("challenge"))})
    if kind == "app_rate_limited":
        return Found(ignored="Slack sends us no more than 30,000 events an hour, and drops the rest")
    inner = payload.get("event")
    if kind != "event_callback" or not isinstance(inner, dict):
        return Found(ignored="no event of the Events API")
    read = _KINDS.get(text(inner.get("type")))
    if read is None:
        return Found(ignored="an event that we do not use")
    found, whole = read(payload, inner), next(iter(sorted(_enterprises(payload))), "")
    return replace(found, data={**found.data, "enterprise": whole[:LONGEST_ID]}) if found.data and whole else found


def workspace_of(payload: Mapping[str, Any]) -> str:
    """Name the workspace that our app was installed in: in a shared channel, the event may name another one."""
    ours = [text(one.get("team_id")) for one in objects(payload.get("authorizations"))]
    return next((team for team in ours if team), text(payload.get("team_id")))


def _message(payload: Mapping[str, Any], said: Mapping[str, Any]) -> Found:
    match said.get("subtype"):
        case "message_changed":
            return _changed(payload, said)
        case "message_deleted":
            return _deleted(payload, said)
        case None | "file_share" | "thread_broadcast":
            return _said(payload, said)
    return Found(ignored="not said by a person")


def _said(payload: Mapping[str, Any], said: Mapping[str, Any]) -> Found:
    workspace, ours = workspace_of(payload), _ourselves(payload)
    if reason := _not_for_us(payload, said, ours):
        return Found(ignored=reason)
    found = ids(workspace, said.get("user"), said.get("channel"), said.get("ts"))
    if found is None:
        return Found(ignored="incomplete")
    _, sender, conversation, stamp = found
    words = text(said.get("text"))
    thread = text(said.get("thread_ts"))[:LONGEST_ID] or stamp
    is_direct = said.get("channel_type") == "im" or conversation.startswith("D")
    is_mention = said["type"] == "app_mention" or any(f"<@{bot}" in words for bot in ours)
    is_reply = thread != stamp
    if not (is_direct or is_mention or is_reply):
        return Found(ignored="said to others")
    where = {"conversation": conversation, "thread": thread, "is_reply": is_reply, "is_direct": is_direct}
    if payload.get("is_ext_shared_channel") is True and not is_direct:
        if not is_mention:
            return Found(ignored="said to others")
        # People of other organisations read along there: the answer goes to the person alone.
        where = {"conversation": sender, "thread": "", "is_reply": False, "is_direct": True}
    return _asked(
        {
            "kind": "message",
            "origin": "slack",
            "key": _key(workspace, conversation, stamp),
            "workspace": workspace,
            "sender": sender,
            **where,
            "is_mention": is_mention,
            "text": _spoken(words, ours),
            "files": _files(said.get("files")),
        }
    )


def _changed(payload: Mapping[str, Any], said: Mapping[str, Any]) -> Found:
    """Read an edit: only of the text, by a person; Slack also tells of unfurled links and titles like this."""
    now, before = mapping(said.get("message")), mapping(said.get("previous_message"))
    if not mapping(now.get("edited")) or now.get("text") == before.get("text"):
        return Found(ignored="changed, but not by its author")
    workspace, ours = workspace_of(payload), _ourselves(payload)
    if reason := _not_for_us(payload, {**now, "hidden": None}, ours):
        return Found(ignored=reason)
    edited = mapping(now["edited"]).get("ts")
    found = ids(workspace, now.get("user"), said.get("channel"), now.get("ts"), edited)
    if found is None:
        return Found(ignored="incomplete")
    _, sender, conversation, stamp, edited = found
    about = _key(workspace, conversation, stamp)
    return _asked(
        {
            **_deed("edit", f"{about}:edit:{edited}", workspace, sender, conversation),
            "thread": text(now.get("thread_ts"))[:LONGEST_ID] or stamp,
            "about": about,
            "text": _spoken(text(now.get("text")), ours),
        }
    )


def _deleted(payload: Mapping[str, Any], said: Mapping[str, Any]) -> Found:
    before, workspace = mapping(said.get("previous_message")), workspace_of(payload)
    found = ids(workspace, before.get("user"), said.get("channel"), said.get("deleted_ts") or before.get("ts"))
    if found is None:
        return Found(ignored="incomplete")
    if before.get("bot_id") or before.get("user") in _ourselves(payload):
        return Found(ignored="said by a bot")
    _, sender, conversation, stamp = found
    about = _key(workspace, conversation, stamp)
    return _asked({**_deed("delete", f"{about}:delete", workspace, sender, conversation), "about": about})


def _opened(payload: Mapping[str, Any], seen: Mapping[str, Any]) -> Found:
    """Somebody looks at our Home tab, or at the empty conversation with us."""
    found = ids(workspace_of(payload), seen.get("user"), seen.get("channel"), payload.get("event_id"))
    if found is None or seen.get("tab") not in ("home", "messages"):
        return Found(ignored="incomplete")
    workspace, sender, conversation, event_id = found
    key = f"slack:{workspace}:opened:{event_id}"
    return _asked({**_deed("opened", key, workspace, sender, conversation), "name": str(seen["tab"])})


def _assistant(payload: Mapping[str, Any], seen: Mapping[str, Any]) -> Found:
    """A new thread with an assistant, in workspaces that have no agent view."""
    thread = mapping(seen.get("assistant_thread"))
    found = ids(
        workspace_of(payload), thread.get("user_id"), thread.get("channel_id"), thread.get("thread_ts"),
        payload.get("event_id"),
    )  # fmt: skip
    if found is None:
        return Found(ignored="incomplete")
    workspace, sender, conversation, stamp, event_id = found
    deed = _deed("opened", f"slack:{workspace}:opened:{event_id}", workspace, sender, conversation)
    return _asked({**deed, "name": "messages", "thread": stamp})


def _stopped(payload: Mapping[str, Any], seen: Mapping[str, Any]) -> Found:
    """The Stop button beside our status."""
    found = ids(workspace_of(payload), seen.get("user"), seen.get("channel"), seen.get("thread_ts"))
    if found is None:
        return Found(ignored="incomplete")
    workspace, sender, conversation, thread = found
    key = f"slack:{workspace}:stop:{text(payload.get('event_id'))[:LONGEST_ID]}"
    return _asked({**_deed("stop", key, workspace, sender, conversation), "thread": thread})


def _gone(payload: Mapping[str, Any], event_: Mapping[str, Any]) -> Found:
    """The app was removed, or tokens of it were taken back: those of a person are not ours."""
    revoked = mapping(event_.get("tokens")).get("bot")
    if event_.get("type") == "tokens_revoked" and not revoked:
        return Found(ignored="no token of ours")
    found = ids(workspace_of(payload), payload.get("event_id"))
    if found is None:
        return Found(ignored="incomplete")
    workspace, event_id = found
    return _asked(_deed("uninstalled", f"slack:{workspace}:uninstalled:{event_id}", workspace, "slack", "workspace"))


_KINDS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Found]] = {
    "message": _message,
    "app_mention": _said,
    "app_home_opened": _opened,
    "assistant_thread_started": _assistant,
    "agent_session_stopped": _stopped,
    "tokens_revoked": _gone,
    "app_uninstalled": _gone,
}
USED = frozenset(_KINDS)


def _asked(data: Mapping[str, Any]) -> Found:
    return Found(data=data, again=True)


def _deed(kind: str, key: str, workspace: str, sender: str, conversation: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "origin": "slack",
        "key": key,
        "workspace": workspace,
        "sender": sender,
        "conversation": conversation,
        "is_direct": conversation.startswith("D"),
    }


def _key(workspace: str, conversation: str, stamp: str) -> str:
    """Name a message: Slack sends one as several events, but with one timestamp."""
    return f"slack:{workspace}:{conversation}:{stamp}"


def _ourselves(payload: Mapping[str, Any]) -> set[str]:
    """Give our own user ids: an app that is installed twice in a workspace has two."""
    return {text(one.get("user_id")) for one in objects(payload.get("authorizations"))} - {""}


def _not_for_us(payload: Mapping[str, Any], said: Mapping[str, Any], ours: set[str]) -> str | None:
    subtype, sender = said.get("subtype"), text(said.get("user"))
    if not (subtype is None or (isinstance(subtype, str) and subtype in _SAID)) or said.get("hidden"):
        return "not said by a person"
    if said.get("bot_id") or said.get("app_id") or not sender or sender in ours or sender == "USLACKBOT":
        return "said by a bot"
    ids_of_home = {workspace_of(payload), *_enterprises(payload)}
    teams = {text(said.get("user_team")), text(said.get("source_team"))} - {""}
    if payload.get("is_ext_shared_channel") is True and not teams:
        teams = {text(said.get("team"))} - {""}
    if teams and not teams & ids_of_home:
        return "said by somebody outside of the workspace"
    return None


def _enterprises(payload: Mapping[str, Any]) -> set[str]:
    """Give the organisation that we are installed in as a whole: there a person's team may be the organisation."""
    whole = [one for one in objects(payload.get("authorizations")) if one.get("is_enterprise_install") is True]
    return {text(one.get("enterprise_id")) for one in whole} - {""}


def _files(value: Any) -> list[dict[str, Any]]:
    files = []
    for file in objects(value)[:_MOST_FILES]:
        size = file.get("size")
        if found := ids(file.get("id")):
            files.append(
                {
                    "id": found[0],
                    "name": text(file.get("name"))[:255],
                    "media_type": text(file.get("mimetype"))[:255],
                    "size": size if isinstance(size, int) and not isinstance(size, bool) else 0,
                }
            )
    return files


def _spoken(words: str, ours: set[str]) -> str:
    """Give the text as it reads: without our own mention, links and channels by their names, escapes undone."""
    for bot in ours:
        words = re.sub(rf"<@{re.escape(bot)}(\|[^>]*)?>", "", words)
    return unescape(_REFERENCE.sub(_as_it_reads, words)).strip()[:LONGEST_TEXT]


def _as_it_reads(found: "re.Match[str]") -> str:
    kind, what, label = found[1], found[2], found[3] or ""
    if kind:
        return f"{kind}{label.lstrip(kind) or what}" if kind == "#" else f"@{label.lstrip('@') or what}"
    if what.startswith(("mailto:", "tel:")) or label in what:
        return label or what
    return f"{label} ({what})" if label else what
