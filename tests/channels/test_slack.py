"""How an answer looks in Slack, and what Slack's answers mean."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.channels import slack, slack_parts
from parley.channels.outcome import Answer, Delivered, Failed, Parked, Retry, Unsure, Wait


def text(words, **style):
    return {"type": "text", "text": words, **({"style": style} if style else {})}


def section(*elements):
    return {"type": "rich_text_section", "elements": list(elements)}


def rich(*elements):
    return {"type": "rich_text", "elements": list(elements)}


def listed(style, *entries, indent=0, **more):
    return {"type": "rich_text_list", "style": style, "indent": indent, **more, "elements": list(entries)}


def blocks(markdown):
    """The blocks of the first message, in the richest form."""
    return slack_parts.rich(slack.parts(markdown)[0])


LINK = {"type": "link", "url": "https://example.org/a?b=1&c=2"}


@pytest.mark.parametrize(
    ("markdown", "made"),
    [
        ("**bold** and *italic* and ~~gone~~", [rich(section(
            text("bold", bold=True), text(" and "), text("italic", italic=True), text(" and "),
            text("gone", strike=True),
        ))]),
        ("***both***", [rich(section(text("both", italic=True, bold=True)))]),
        ("# Title", [{"type": "header", "text": {"type": "plain_text", "text": "Title", "emoji": False}}]),
        ("### Small", [rich(section(text("Small", bold=True)))]),
        ("[our page](https://example.org/a?b=1&c=2)", [rich(section({**LINK, "text": "our page"}))]),
        ("[x](javascript:alert(1))", [rich(section(text("[x](javascript:alert(1))")))]),
        ("[x](/relative)", [rich(section(text("x")))]),
        ("see https://example.org/a?b=1&c=2.", [rich(section(text("see "), LINK, text(".")))]),
        ("![logo](https://example.org/a?b=1&c=2)", [rich(section({**LINK, "text": "logo"}))]),
        ("- one\n- two\n  - deep", [rich(
            listed("bullet", section(text("one")), section(text("two"))),
            listed("bullet", section(text("deep")), indent=1)
        )]),
        ("3. three\n4. four", [rich(listed("ordered", section(text("three")), section(text("four")), offset=2))]),
        ("- [ ] a\n- [x] b", [rich(listed("bullet", section(text("☐ a")), section(text("☑ b"))))]),
        ("> said\n> twice", [rich(
            {"type": "rich_text_quote", "elements": [text("said"), text("\n"), text("twice")]}
        )]),
        ("`a & <b>`", [rich(section(text("a & <b>", code=True)))]),
        ("```sh\nls **x** <@U1>\n```", [rich(
            {"type": "rich_text_preformatted", "elements": [text("ls **x** <@U1>")]}
        )]),
        ("| a | b |\n|---|--:|\n| 1 | |", [{
            "type": "table",
            "column_settings": [{"align": "left", "is_wrapped": True}, {"align": "right", "is_wrapped": True}],
            "rows": [
                [{"type": "raw_text", "text": "a"}, {"type": "raw_text", "text": "b"}],
                [{"type": "raw_text", "text": "1"}, {"type": "raw_text", "text": " "}],
            ],
        }]),
        ("a\n\n---\n\nb", [rich(section(text("a"))), {"type": "divider"}, rich(section(text("b")))]),
        ("<b>html</b>", [rich(section(text("<b>html</b>")))]),
        ("a\n\nb", [rich(section(text("a"), text("\n\n"), text("b")))]),
        ("", [rich(section(text("(no text)")))]),
    ],
)  # fmt: skip
def test_markdown_becomes_blocks(markdown, made):
    """Each construct of Markdown has its like in Block Kit; text in rich text is literal."""
    assert blocks(markdown) == made


def test_a_list_goes_on_after_what_interrupts_it():
    """Code in an entry ends the list for Slack; the next entry has the next number."""
    (block,) = blocks("1. one\n   ```\n   x\n   ```\n2. two")

    assert [element["type"] for element in block["elements"]] == [
        "rich_text_list", "rich_text_preformatted", "rich_text_list",
    ]  # fmt: skip
    assert block["elements"][2]["offset"] == 1


def test_a_headline_is_not_left_behind():
    """A headline at the end of a message goes over to the next, with what it announces."""
    made = slack.parts("word " * 2200 + "\n\n# Next\n\n" + "word " * 500)

    assert [unit.text for unit in made[1].units[:1]] == ["Next"]


def test_the_simple_form_says_the_same():
    """Sections of mrkdwn: tables are drawn, lists have signs, and everything special is escaped."""
    (part,) = slack.parts("# T\n\n**a** & <b>\n\n1. x\n   - y\n\n| n | m |\n|---|---|\n| 日本 | 2 |")

    (block,) = slack_parts.simple(part)

    assert block["text"]["text"] == (
        "*T*\n\n*a* &amp; &lt;b&gt;\n\n1. x\n    • y\n\n```\nn    | m\n-----+--\n日本 | 2\n```"
    ).replace("n    | m\n-----+--", "n    | m\n-----+--")


def test_an_answer_is_a_reply_in_its_thread(job):
    """The message goes to the thread, names its delivery in the metadata, and unfolds no links."""
    (message,) = slack.render(job())

    assert (message["channel"], message["thread_ts"]) == ("C1", "1.1")
    assert message["metadata"]["event_payload"] == {"key": "0f4c5d1e-9b0a-5c63-8e3e-0e6f0a8a7d11", "part": 0}
    assert (message["unfurl_links"], message["unfurl_media"]) == (False, False)


def test_a_direct_message_has_no_thread(job):
    """Without a thread there is no `thread_ts`: an empty one would be refused."""
    (message,) = slack.render(job(address={"conversation": "U1", "thread": None}))

    assert "thread_ts" not in message


def test_sources_and_doubts_stand_below(job):
    """Citations are named once each, and what may have arrived otherwise is said."""
    cited = {"document": "vpn", "title": "VPN", "heading": "Access", "anchor": "a"}

    (message,) = slack.render(job(citations=(cited, cited), also_by=("email",)))

    small = message["blocks"][1]["elements"][0]["text"]
    assert small == "Sources: VPN: Access\nThis may also have reached you by e-mail."


@pytest.mark.parametrize("kind", ["answer", "failure"])
def test_a_person_can_be_asked_below_an_answer_and_above_all_below_none(job, kind):
    """The button names the request; it is there in the simple form, too."""
    for form in ("rich", "simple"):
        message = slack.message(job(kind=kind), slack.parts("No."), 0, form=form)
        [button] = next(block for block in message["blocks"] if block["type"] == "actions")["elements"]
        assert (button["action_id"], button["value"]) == ("parley_escalate", str(job().request_id))


def test_an_answer_can_be_judged(job):
    """Two buttons below the last message, which name the request."""
    (message,) = slack.render(job())

    votes = message["blocks"][-1]["elements"][0]
    assert (votes["type"], votes["action_id"]) == ("feedback_buttons", "parley_vote")
    assert votes["positive_button"]["value"] == "good:00000000-0000-0000-0000-000000000002"


@given(st.text(max_size=400))
def test_any_text_can_be_said(text):
    """No input breaks the rendering, and only our own links use angle brackets."""
    for part in slack.parts(text):
        slack_parts.rich(part)
        said = slack_parts.words(part)
        assert not re.search(r"<(?!https?://|mailto:)", said, re.IGNORECASE)


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (Answer(200, provider_id="1.2"), Delivered("1.2")),
        (Answer(429, "ratelimited", 40), Wait(40, "ratelimited")),
        (Answer(200, "rate_limited"), Wait(30, "rate_limited")),
        (Answer(200, "service_unavailable"), Retry),
        (Answer(200, "internal_error"), Unsure),
        (Answer(502), Unsure),
        (Answer(200, "invalid_auth"), Parked),
        (Answer(200, "message_limit_exceeded"), Parked),
        (Answer(200, "channel_not_found"), Failed),
        (Answer(200, "invalid_blocks"), Failed),
    ],
)
def test_slacks_answers(answer, meaning):
    """Errors are classed by what can be done about them; most come with status 200."""
    outcome = slack.outcome(answer)

    assert outcome == meaning if not isinstance(meaning, type) else isinstance(outcome, meaning)


def test_the_earlier_messages_are_found_by_their_key(job):
    """Among the replies of a thread, only messages with our delivery's id are taken for its parts."""
    ours = slack.render(job())[0]["metadata"]
    second = {**ours, "event_payload": {**ours["event_payload"], "part": 1}}
    other = {"event_type": "parley_delivery", "event_payload": {"key": "another"}}
    replies = [{"ts": "1.1"}, {"ts": "1.2", "metadata": other}, {"ts": "1.3", "metadata": ours},
               {"ts": "1.4", "metadata": second}, {"ts": "1.5", "metadata": second}]  # fmt: skip

    assert slack.found(job(), replies) == {0: "1.3", 1: "1.4"}
    assert slack.found(job(), replies[:2]) == {}
