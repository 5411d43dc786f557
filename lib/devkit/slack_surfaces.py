"""
Slack's modals, Home tabs, prompts and reply URLs, and what people do with them: commands, clicks, forms, shortcuts.

Sources: https://docs.slack.dev/surfaces/modals (a trigger lives for three seconds and opens once)
         https://docs.slack.dev/reference/methods/views.open, …/views.update, …/views.publish
         https://docs.slack.dev/reference/methods/assistant.threads.setSuggestedPrompts
         https://docs.slack.dev/interactivity/implementing-slash-commands (response_url: 5 uses in 30 minutes)
         https://docs.slack.dev/reference/interaction-payloads
Left out: stacks of more than one modal, `external_id`, `response_urls` of views.
"""

import itertools
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from devkit.slack_arguments import Refused
from devkit.slack_workspace import APP, BOT, TEAM

type Fields = dict[str, str]
type View = dict[str, Any]

TRIGGER_SECONDS = 3.0
REPLY_USES, REPLY_SECONDS = 5, 1800.0
_MOST_BLOCKS = 100
_TITLE, _METADATA, _VIEW_BYTES = 24, 3000, 250_000
_INPUTS = frozenset(
    {"plain_text_input", "static_select", "external_select", "timepicker", "datepicker", "checkboxes", "radio_buttons"}
)


class Surfaces:
    """What people see of the app besides messages. `clock` gives seconds; `url` is the stand-in's own address."""

    def __init__(self, clock: Callable[[], float], url: Callable[[], str]) -> None:
        self._clock = clock
        self._url = url
        self._numbers = itertools.count(1)
        self._triggers: dict[str, float] = {}
        self._replies: dict[str, tuple[float, int, str]] = {}
        self.views: dict[str, View] = {}
        self.homes: dict[str, View] = {}
        self.prompts: list[dict[str, Any]] = []
        self.replies: list[dict[str, Any]] = []  # what only one person was shown: `user`, `body`

    # --- what the app calls ---

    def open(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """views.open."""
        made_at = self._triggers.pop(str(arguments["trigger_id"]), None)
        if made_at is None:
            raise Refused("invalid_trigger_id" if "." not in str(arguments["trigger_id"]) else "exchanged_trigger_id")
        if self._clock() - made_at > TRIGGER_SECONDS:
            raise Refused("expired_trigger_id")
        _check(arguments["view"], ("modal",))
        return {"view": self._kept(f"V0{next(self._numbers):07d}", arguments["view"])}

    def update(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """views.update."""
        view_id = str(arguments.get("view_id", ""))
        if view_id not in self.views:
            raise Refused("not_found")
        if "hash" in arguments and arguments["hash"] != self.views[view_id]["hash"]:
            raise Refused("hash_conflict")
        _check(arguments["view"], ("modal",))
        return {"view": self._kept(view_id, arguments["view"])}

    def publish(self, arguments: Mapping[str, Any], known: Callable[[str], bool]) -> dict[str, Any]:
        """views.publish."""
        user = str(arguments["user_id"])
        if not known(user):
            raise Refused("user_not_found")
        _check(arguments["view"], ("home",))
        self.homes[user] = _shown(f"V0{next(self._numbers):07d}", arguments["view"], uuid.uuid4().hex)
        return {"view": self.homes[user]}

    def suggest(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """assistant.threads.setSuggestedPrompts."""
        prompts = arguments["prompts"]
        if not 1 <= len(prompts) <= 4 or not all({"title", "message"} == set(one) for one in prompts):
            raise Refused("invalid_arguments", "prompts: one to four of title and message")
        self.prompts.append(dict(arguments))
        return {}

    def reply(self, path: str, body: bytes) -> tuple[int, str]:
        """Take what is posted to a reply URL; gives status and text of Slack's answer."""
        made_at, uses, user = self._replies.get(path, (0.0, REPLY_USES, ""))
        if uses >= REPLY_USES or self._clock() - made_at > REPLY_SECONDS:
            return 404, "used_url" if path in self._replies else "no_active_hooks"
        try:
            message = json.loads(body)
        except ValueError:
            return 400, "invalid_payload"
        if not isinstance(message, dict) or not (message.get("text") or message.get("blocks")):
            return 400, "no_text"
        self._replies[path] = (made_at, uses + 1, user)
        self.replies.append({"user": user, "body": message})
        return 200, "ok"

    # --- what people do: the fields of the form that Slack posts ---

    def command(self, user: str, channel: str, text: str, command: str = "/parley") -> Fields:
        """Type a slash command."""
        return {
            "token": "stand-in", "team_id": TEAM, "team_domain": "stand-in", "channel_id": channel, "channel_name": "x",
            "user_id": user, "user_name": "x", "command": command, "text": text, "api_app_id": APP,
            "is_enterprise_install": "false", "response_url": self._reply_url(user), "trigger_id": self._trigger(),
        }  # fmt: skip

    def click(self, user: str, message: Mapping[str, Any], action_id: str, value: str | None = None) -> Fields:
        """Click a button of a message (with its `channel`). Raises KeyError when it has no such button."""
        button = _element(message.get("blocks", []), action_id, value)
        place = {"channel_id": message["channel"], "message_ts": message["ts"], "is_ephemeral": False}
        thread = {"thread_ts": message["thread_ts"]} if "thread_ts" in message else {}
        return self._payload(
            "block_actions", user, container={"type": "message", **place, **thread},
            channel={"id": message["channel"], "name": "x"}, message=dict(message), state={"values": {}},
            response_url=self._reply_url(user), actions=[self._action(button, value)],
        )  # fmt: skip

    def click_home(self, user: str, action_id: str, value: str | None = None) -> Fields:
        """Click a button of the person's Home tab. Raises KeyError when there is none."""
        view = self.homes[user]
        button = _element(view["blocks"], action_id, value)
        return self._payload(
            "block_actions", user, container={"type": "view", "view_id": view["id"]}, view=view,
            actions=[self._action(button, value)],
        )  # fmt: skip

    def submit(self, user: str, view_id: str, values: Mapping[str, Any]) -> Fields:
        """Submit an open form; `values` by block: text, time, or an option's value. Raises KeyError, ValueError."""
        view = self.views[view_id]
        if "submit" not in view:
            raise ValueError("the form has no button to submit it")
        state = {block["block_id"]: _filled(block, values) for block in view["blocks"] if block["type"] == "input"}
        return self._payload("view_submission", user, view={**view, "state": {"values": state}}, response_urls=[])

    def shortcut(self, user: str, callback: str, message: Mapping[str, Any] | None = None) -> Fields:
        """Use a global shortcut, or one on a message (with its `channel`)."""
        if message is None:
            return self._payload("shortcut", user, callback_id=callback, action_ts="1700000000.000001")
        channel = {"id": message["channel"], "name": "x"}
        return self._payload(
            "message_action", user, callback_id=callback, message=dict(message), message_ts=message["ts"],
            channel=channel, action_ts="1700000000.000001", response_url=self._reply_url(user),
        )  # fmt: skip

    def look_up(self, user: str, view_id: str, action_id: str, typed: str) -> Fields:
        """Type into a field whose options the app knows."""
        block = next(
            one for one in self.views[view_id]["blocks"] if one.get("element", {}).get("action_id") == action_id
        )
        return self._payload(
            "block_suggestion", user, action_id=action_id, block_id=block["block_id"], value=typed,
            container={"type": "view", "view_id": view_id}, view=self.views[view_id],
        )  # fmt: skip

    def _action(self, button: Mapping[str, Any], value: str | None) -> dict[str, Any]:
        chosen = button.get("value", "") if value is None else value
        return {**button, "value": chosen, "block_id": "b", "action_ts": f"{self._clock():.6f}"}

    def _payload(self, kind: str, user: str, **more: Any) -> Fields:
        payload = {
            "type": kind, "token": "stand-in", "api_app_id": APP, "enterprise": None,
            "team": {"id": TEAM, "domain": "x"}, "user": {"id": user, "username": "x", "name": "x", "team_id": TEAM},
            "is_enterprise_install": False, "trigger_id": self._trigger(), **more,
        }  # fmt: skip
        return {"payload": json.dumps(payload)}

    def _trigger(self) -> str:
        trigger = f"{next(self._numbers)}.{next(self._numbers)}.{uuid.uuid4().hex}"
        self._triggers[trigger] = self._clock()
        return trigger

    def _reply_url(self, user: str) -> str:
        path = f"/hooks/{TEAM}/{next(self._numbers)}/{uuid.uuid4().hex}"
        self._replies[path] = (self._clock(), 0, user)
        return self._url() + path

    def _kept(self, view_id: str, view: Mapping[str, Any]) -> View:
        self.views[view_id] = _shown(view_id, view, f"{self._clock():.0f}.{uuid.uuid4().hex[:8]}")
        return self.views[view_id]


def _shown(view_id: str, view: Mapping[str, Any], hash_: str) -> View:
    blocks = [{"block_id": f"b{number}", **block} for number, block in enumerate(view["blocks"])]
    ours = {"id": view_id, "team_id": TEAM, "app_id": APP, "bot_id": BOT, "app_installed_team_id": TEAM, "hash": hash_}
    return {"private_metadata": "", "callback_id": "", "state": {"values": {}}, **view, **ours, "blocks": blocks}


def _element(blocks: list[dict[str, Any]], action_id: str, value: str | None) -> dict[str, Any]:
    for block in blocks:
        for element in [*block.get("elements", []), block.get("accessory", {})]:
            if element.get("action_id") != action_id:
                continue
            choices = {element.get(name, {}).get("value") for name in ("positive_button", "negative_button")}
            if value in (None, element.get("value")) or value in choices:
                return dict(element)
    raise KeyError(action_id)


def _filled(block: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    element, given = block["element"], values.get(block["block_id"])
    kind, state = element["type"], {"type": element["type"]}
    if given is None:
        given = (
            (element.get("initial_option") or {}).get("value")
            or element.get("initial_time")
            or element.get("initial_value")
        )
    if given is None and not block.get("optional"):
        raise ValueError(f"{block['block_id']}: Slack asks for it before it submits")
    if kind == "timepicker":
        return {element["action_id"]: {**state, "selected_time": given}}
    if kind in ("static_select", "external_select"):
        offered = [option["value"] for option in element.get("options", [])]
        if offered and given not in offered:
            raise ValueError(f"{block['block_id']}: no such option")
        chosen = {"text": {"type": "plain_text", "text": str(given)}, "value": given} if given else None
        return {element["action_id"]: {**state, "selected_option": chosen}}
    if len(str(given or "")) > element.get("max_length", 3000):
        raise ValueError(f"{block['block_id']}: too long")
    return {element["action_id"]: {**state, "value": given}}


def _check(view: Any, kinds: tuple[str, ...]) -> None:
    """Refuse what Slack would: kinds, lengths, ids that are there twice, elements that need a name."""
    if not isinstance(view, dict) or view.get("type") not in kinds:
        raise Refused("invalid_arguments", f"view type must be one of {', '.join(kinds)} [json-pointer:/view/type]")
    faults = list(_view_faults(view))
    if faults:
        raise Refused("invalid_arguments", *faults)


def _view_faults(view: Mapping[str, Any]) -> list[str]:
    faults, blocks = [], view.get("blocks", [])
    if not blocks or len(blocks) > _MOST_BLOCKS:
        faults.append("must have 1 to 100 blocks [json-pointer:/view/blocks]")
    for name in ("title", "submit", "close"):
        text = view.get(name, {"type": "plain_text", "text": "x"} if name != "title" or view["type"] == "home" else {})
        if text.get("type") != "plain_text" or not 1 <= len(text.get("text", "")) <= _TITLE:
            faults.append(f"must be plain text of 1 to 24 characters [json-pointer:/view/{name}]")
    if len(view.get("private_metadata", "")) > _METADATA or len(json.dumps(view)) > _VIEW_BYTES:
        faults.append("too large [json-pointer:/view]")
    names = [block["block_id"] for block in blocks if "block_id" in block]
    if len(set(names)) != len(names):
        faults.append("block_id is there twice [json-pointer:/view/blocks]")
    has_inputs = any(block.get("type") == "input" for block in blocks)
    if has_inputs and view["type"] == "modal" and "submit" not in view:
        faults.append("a view with inputs needs submit [json-pointer:/view/submit]")
    for number, block in enumerate(blocks):
        faults += [f"{fault} [json-pointer:/view/blocks/{number}]" for fault in _block_faults(block)]
    return faults


def _block_faults(block: Mapping[str, Any]) -> list[str]:
    kind = block.get("type")
    if kind == "input":
        element, label = block.get("element", {}), block.get("label", {}).get("text", "")
        wrong = element.get("type") not in _INPUTS or not element.get("action_id")
        options = element.get("options", [{}]) if element.get("type") == "static_select" else [{}]
        names = [option.get("text", {}).get("text", "") for option in options if option]
        too_long = not 1 <= len(label) <= 2000 or len(block.get("hint", {}).get("text", "")) > 2000
        bad_options = not 1 <= len(options) <= 100 or any(not 1 <= len(name) <= 75 for name in names)
        return ["input is not valid"] if wrong or too_long or bad_options else []
    if kind == "section":
        text = block.get("text", {}).get("text", "")
        return [] if 1 <= len(text) <= 3000 else ["text must have 1 to 3000 characters"]
    if kind == "header":
        return [] if 1 <= len(block["text"]["text"]) <= 150 else ["text must have 1 to 150 characters"]
    if kind == "actions":
        buttons = block.get("elements", [])
        fits = all(1 <= len(one.get("text", {}).get("text", "")) <= 75 and one.get("action_id") for one in buttons)
        return [] if 1 <= len(buttons) <= 25 and fits else ["actions are not valid"]
    return [] if kind in ("divider", "context", "rich_text", "image") else [f"unsupported type: {kind}"]
