"""How an answer looks in Microsoft Teams, and what Teams' answers mean."""

import json

import pytest

from parley.channels import teams
from parley.channels.outcome import Answer, Delivered, Failed, Retry, Unsure, Wait

ADDRESS = {"url": "https://example.webhook.office.com/x", "integration": "i1"}


def card(job):
    """The blocks of the card."""
    said = json.loads(teams.render(job).body)
    [attachment] = said["attachments"]
    assert (said["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert (attachment["content"]["type"], attachment["content"]["version"]) == ("AdaptiveCard", "1.4")
    return attachment["content"]["body"]


def test_a_card_says_question_answer_and_sources(job):
    """The question as a title, each paragraph a block, then what it was read in."""
    cited = ({"title": "VPN", "heading": "Access"},)

    title, first, second, source = card(
        job("**Yes.**\n\nUse the [portal](https://x.example).", citations=cited, address=ADDRESS)
    )

    assert (title["text"], title["weight"]) == ("How do I get VPN access?", "Bolder")
    assert (first["text"], second["text"]) == ("**Yes\\.**", "Use the [portal](https://x.example)\\.")
    assert (source["text"], source["isSubtle"]) == ("VPN: Access", True)


def test_code_is_monospaced_and_as_it_is(job):
    """Nothing in it is markup."""
    _, block = card(job("```\nrm *_x_*\n```", address=ADDRESS))

    assert (block["fontType"], block["text"]) == ("Monospace", "rm *_x_*")


def test_text_is_no_markup(job):
    """What looks like a link, a mention or emphasis and is text stays text."""
    _, block = card(job("\\[a\\](https://evil.example) <at>all</at> 2\\*3", address=ADDRESS))

    assert block["text"].startswith("\\[a\\]\\(https://evil\\.example\\) \\<at\\>all\\</at\\> 2\\*3")


@pytest.mark.parametrize(
    "text", ["word " * 20_000, "line\n\n" * 9_000, "`" * 3 + "\n" + "x" * 60_000 + "\n```", "ü" * 40_000]
)
def test_a_long_answer_fits_and_says_that_it_goes_on(job, text):
    """Within the vendor's limit, with as much as there is room for."""
    made = teams.render(job(text, address=ADDRESS))

    assert teams.LARGEST // 3 < len(made.body) <= teams.LARGEST
    assert card(job(text, address=ADDRESS))[-1]["text"] == teams.CUT


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (Answer(202), Delivered),
        (Answer(200, body=b"1"), Delivered),
        (Answer(200, body=b"... Microsoft Teams endpoint returned HTTP error 429 with ContextId ..."), Wait),
        (Answer(200, body=b"... Microsoft Teams endpoint returned HTTP error 403 ..."), Failed),
        (Answer(429), Wait),
        (Answer(413), Failed),
        (Answer(404), Failed),
        (Answer(500), Unsure),
        (Answer(503), Retry),
    ],
)
def test_what_its_answers_mean(answer, meaning):
    """Also when the error is told in words within a 200."""
    assert isinstance(teams.outcome(answer), meaning)
