"""
Slack: an answer as the messages that chat.postMessage takes, and what its answers mean.

An answer is rich text in as many messages as it needs. A message that Slack refuses for its form is tried again in a
simpler one: rich blocks, plain sections, text alone.

Sources: https://docs.slack.dev/reference/methods/chat.postMessage (errors, limits)
         https://docs.slack.dev/messaging/formatting-message-text (mrkdwn, escaping)
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from parley.channels import slack_actions as names
from parley.channels import slack_parts, slack_units, wording
from parley.channels.outcome import Answer, Delivered, Failed, Outcome, Parked, Retry, Unsure, kept_waiting
from parley.channels.slack_errors import classed
from parley.channels.slack_parts import Part
from parley.channels.slack_text import escaped, shortened
from parley.channels.slack_units import Para
from parley.channels.templates import Templates
from parley.domain.delivery import Job

PARTS = 12  # messages of one answer at most
FALLBACK = 3000  # characters of `text` beside blocks: what notifications and screen readers show
TEXT = 39_000  # characters of `text` alone; Slack cuts above 40,000
EDITED = 3900  # characters of `text` in an update
SMALL = 2000  # characters below an answer
EVENT = "parley_delivery"
CUT = "The answer is longer than can be shown here; this is its beginning."
_FINAL = {
    "recipient": "Slack refuses the place",
    "content": "Slack refuses the message in every form",
    "ours": "Slack refuses the call",
}
FORMS = ("rich", "simple", "words")


def parts(text: str) -> list[Part]:
    """Give the messages of an answer, as units."""
    made = slack_parts.packed(slack_units.units(text) or [Para([{"type": "text", "text": "(no text)"}])])
    if len(made) > PARTS:
        made = made[:PARTS]
        made[-1].units.append(Para([{"type": "text", "text": CUT, "style": {"italic": True}}]))
    return made


def render(job: Job, below: str = "") -> list[dict[str, Any]]:
    """Give the arguments of chat.postMessage for each message of an answer, in the richest form."""
    made = parts(job.text)
    return [message(job, made, number, below) for number in range(len(made))]


def message(job: Job, made: Sequence[Part], number: int, below: str = "", form: str = "rich") -> dict[str, Any]:
    """Give the arguments for one message of an answer. `below` is mrkdwn, under the last one."""
    small = shortened(below or small_print(job), SMALL) if number == len(made) - 1 else ""
    said = slack_parts.words(made[number])
    arguments: dict[str, Any] = {
        "channel": job.address["conversation"],
        "metadata": {"event_type": EVENT, "event_payload": {"key": str(job.delivery_id), "part": number}},
        "unfurl_links": False,
        "unfurl_media": False,
    }
    if thread := job.address.get("thread"):
        arguments["thread_ts"] = thread
    blocks = slack_parts.rich(made[number]) if form == "rich" else slack_parts.simple(made[number])
    if form == "words" or (form == "simple" and not slack_parts.fits(blocks)):
        return {**arguments, "text": shortened("\n\n".join(filter(None, [said, small])), TEXT)}
    if small:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": small, "verbatim": True}]})
    if number == len(made) - 1:
        blocks += _buttons(job, form)
    return {**arguments, "text": shortened(said, FALLBACK), "blocks": blocks}


def _buttons(job: Job, form: str) -> list[dict[str, Any]]:
    """
    An approval is decided, an answer judged or handed to a person by a click; a Slack without such buttons goes without
    votes.
    """
    if job.action:
        value = f"{job.action.id}:{job.action.digest}"
        deny, approve = _button("Deny", names.DENY, value), _button("Approve", names.APPROVE, value)
        return [{"type": "actions", "elements": [{**approve, "style": "primary"}, {**deny, "style": "danger"}]}]
    if job.kind not in ("answer", "failure"):
        return []
    person = _button("Ask a person", names.ESCALATE, str(job.request_id))
    return [{"type": "actions", "elements": [person]}, *(_votes(job) if form == "rich" else [])]


def _votes(job: Job) -> list[dict[str, Any]]:
    if job.kind != "answer":
        return []
    votes = {
        f"{name}_button": {"text": {"type": "plain_text", "text": words}, "value": f"{value}:{job.request_id}"}
        for name, words, value in (("positive", "Good answer", "good"), ("negative", "Bad answer", "bad"))
    }
    return [{"type": "context_actions", "elements": [{"type": "feedback_buttons", "action_id": names.VOTE, **votes}]}]


def _button(text: str, action: str, value: str) -> dict[str, Any]:
    return {"type": "button", "text": {"type": "plain_text", "text": text}, "action_id": action, "value": value}


def update(arguments: Mapping[str, Any], where: Mapping[str, str]) -> dict[str, Any]:
    """Give the arguments of chat.update for what would have been posted: an edit has less room for text alone."""
    kept = {name: arguments[name] for name in ("blocks", "metadata") if name in arguments}
    return {**kept, **where, "text": shortened(arguments["text"], EDITED)}


def outcome(answer: Answer) -> Outcome:
    """Say what an answer of Slack's means; most errors come with the status 200."""
    code = answer.code
    name = classed(code) if code else None
    if answer.status == 429 or name == "wait":
        return kept_waiting(answer)
    if answer.status >= 500 or name == "unsure":
        return Unsure("Slack had an internal error", code or str(answer.status))
    if name is None:
        return Delivered(answer.provider_id)
    if name in _FINAL:
        return Failed(_FINAL[name], code)
    if name == "credential":
        return Parked("Slack refuses our token or plan", code)
    return Retry("Slack could not take it now" if name == "retry" else "an error that we do not know", code)


def simpler(answer: Answer, form: str) -> str | None:
    """Give the form to try next when Slack refuses this one, None when that is no question of form."""
    if answer.code is None or classed(answer.code) != "content" or form == FORMS[-1]:
        return None
    return FORMS[FORMS.index(form) + 1]


def found(job: Job, replies: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Give the timestamps of this delivery's messages among those of a thread, by the key in their metadata."""
    ours: dict[int, str] = {}
    for reply in replies:
        metadata = reply.get("metadata") or {}
        payload = metadata.get("event_payload") or {}
        if metadata.get("event_type") == EVENT and payload.get("key") == str(job.delivery_id):
            ours.setdefault(int(payload.get("part", 0)), str(reply["ts"]))
    return ours


def footer(templates: Templates, job: Job) -> str:
    """Give what stands below an answer, by its template: mrkdwn, in which nothing that is told can call anybody."""
    told = {"opening": escaped(job.question), "question": escaped(job.question), "agent": escaped(job.agent or "")}
    return templates.say("footer.txt", job, sources=[escaped(name) for name in wording.sources(job)], **told)


def small_print(job: Job) -> str:
    """Say in mrkdwn what an answer rests on, and by which other way it may have come."""
    names = wording.sources(job)
    lines = [f"Sources: {'; '.join(escaped(name) for name in names)}"] if names else []
    return "\n".join([*lines, *filter(None, [wording.note(job)])])
