"""How an answer looks in Slack, and what Slack's answers mean."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.channels import slack
from parley.channels.outcome import Answer, Delivered, Failed, Parked, Retry, Unsure, Wait


@pytest.mark.parametrize(
    ("markdown", "said"),
    [
        ("**bold** and *italic* and ~~gone~~", ["*bold* and _italic_ and ~gone~"]),
        ("# Title", ["*Title*"]),
        ("# **Title**", ["*Title*"]),
        ("[our page](https://example.org/a?b=1&c=2)", ["<https://example.org/a?b=1&amp;c=2|our page>"]),
        ("[x](javascript:alert(1))", ["[x](javascript:alert(1))"]),
        ("[x](/relative)", ["x"]),
        ("see https://example.org.", ["see <https://example.org>."]),
        ("![logo](https://example.org/l.png)", ["<https://example.org/l.png|logo>"]),
        ("- one\n- two\n  - deep", ["• one\n• two\n    • deep"]),
        ("3. three\n4. four", ["3. three\n4. four"]),
        ("> said\n> twice", ["> said\n> twice"]),
        ("`a & <b>`", ["`a &amp; &lt;b&gt;`"]),
        ("```sh\nls **x** <@U1>\n```", ["```\nls **x** &lt;@U1&gt;\n```"]),
        ("| a | b |\n|---|---|\n| 1 | 22 |", ["```\na | b\n1 | 22\n```"]),
        ("<b>html</b>", ["&lt;b&gt;html&lt;/b&gt;"]),
        ("a\n\nb", ["a", "b"]),
        ("", ["(no text)"]),
    ],
)
def test_markdown_becomes_mrkdwn(markdown, said):
    """Each construct of Markdown has its like in Slack; what is special to Slack is escaped."""
    assert slack.mrkdwn(markdown) == said


@pytest.mark.parametrize(
    "attack",
    [
        "<!channel>", "<!here>", "<!everyone>", "<!subteam^S1>", "<@U123>", "<#C123>", "@here", "@Channel now",
        "[<!channel>](https://example.org)", "**<!here>**", "`<!here>`", "[a|<!here>](https://example.org/)",
        "[x](https://example.org/|<!here>)", "&lt;!channel&gt;", "<<!channel>>", "\\<!channel>",
    ],
)  # fmt: skip
def test_no_text_mentions_or_broadcasts(job, attack):
    """Nothing that a model or a user writes can call people: no `<!`, `<@`, `<#`, and no plain @here."""
    message = slack.render(job(attack))

    said = message["text"] + message["blocks"][0]["text"]["text"]
    assert not re.search(r"<[!@#]", said)
    assert not re.search(r"@(here|channel|everyone)\b", said, re.IGNORECASE)
    assert message["blocks"][0]["text"]["verbatim"] is True


def test_an_answer_is_a_reply_in_its_thread(job):
    """The message goes to the thread, names its delivery in the metadata, and unfolds no links."""
    message = slack.render(job())

    assert (message["channel"], message["thread_ts"]) == ("C1", "1.1")
    assert message["metadata"]["event_payload"] == {"key": "0f4c5d1e-9b0a-5c63-8e3e-0e6f0a8a7d11"}
    assert (message["unfurl_links"], message["unfurl_media"]) == (False, False)


def test_a_direct_message_has_no_thread(job):
    """Without a thread there is no `thread_ts`: an empty one would be refused."""
    assert "thread_ts" not in slack.render(job(address={"conversation": "U1", "thread": None}))


def test_sources_and_doubts_stand_below(job):
    """Citations are named once each, and what may have arrived otherwise is said."""
    cited = {"document": "vpn", "title": "VPN", "heading": "Access", "anchor": "a"}

    message = slack.render(job(citations=(cited, cited), also_by=("email",)))

    small = message["blocks"][-1]["elements"][0]["text"]
    assert small == "Sources: VPN: Access\nThis may also have reached you by e-mail."


@pytest.mark.parametrize(
    "text",
    ["word " * 3000, "x" * 9000, "line\n" * 4000, "```\n" + "code & <b>\n" * 600 + "```", "p\n\n" * 2000, "&" * 5000],
)
def test_long_answers_stay_within_slacks_limits(job, text):
    """However long: at most 50 blocks, 3,000 characters in each, 13,000 in all, 4,000 in the fallback."""
    message = slack.render(job(text))

    parts = [block["text"]["text"] for block in message["blocks"]]
    assert len(parts) <= 50
    assert max(map(len, parts)) <= 3000
    assert sum(map(len, parts)) <= 13_000
    assert 0 < len(message["text"]) <= 4000
    assert all(part.count("```") % 2 == 0 for part in parts)
    assert not any(re.search(r"&(?!amp;|lt;|gt;)", part) for part in parts)


def test_what_is_cut_says_so(job):
    """A reader sees that the answer went on."""
    assert slack.render(job("word " * 4000))["blocks"][-1]["text"]["text"] == slack.CUT


@given(st.text(max_size=400))
def test_any_text_can_be_said(text):
    """No input breaks the rendering, and only our own links use angle brackets."""
    said = "\n".join(slack.mrkdwn(text))

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


def test_the_earlier_message_is_found_by_its_key(job):
    """Among the replies of a thread, only the message with our delivery's id is taken for it."""
    ours = slack.render(job())["metadata"]
    other = {"event_type": "parley_delivery", "event_payload": {"key": "another"}}
    replies = [{"ts": "1.1"}, {"ts": "1.2", "metadata": other}, {"ts": "1.3", "metadata": ours}]

    assert slack.found(job(), replies) == "1.3"
    assert slack.found(job(), replies[:2]) is None
