"""Every answer of the golden set, in every form: within Slack's limits, whole, and calling nobody."""

import html.parser
import re
from collections import Counter

import pytest
from channels.golden_answers import GOLDEN
from markdown_it import MarkdownIt

from devkit import slack_blocks
from parley.channels import slack

MENTION = re.compile(r"<[!@#]|@(?:here|channel|everyone)\b", re.IGNORECASE)
ANSWERS = pytest.mark.parametrize("name", GOLDEN)
# Cut after twelve messages, and said so: no other answer may lose anything.
CUT = {"long-09", "long-11"}


class Reader(html.parser.HTMLParser):
    """The words of a page."""

    def __init__(self):
        super().__init__()
        self.said = []

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.said.append(dict(attributes)["alt"])

    def handle_data(self, data):
        self.said.append(data)


def meant(text):
    """What a reader of the rendered Markdown sees, by the way of HTML."""
    reader = Reader()
    reader.feed(MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).render(text))
    return "".join(reader.said)


def shown(value):
    """Every text of blocks, in order."""
    if isinstance(value, dict):
        own = value.get("text") if isinstance(value.get("text"), str) else None
        if value.get("type") == "link" and own is None:
            own = value["url"]
        return (own or "") + "".join(shown(v) for k, v in value.items() if not (k == "text" and own is not None))
    return "\n".join(map(shown, value)) if isinstance(value, list) else ""


def characters(text):
    """Count each character; blanks and what marks a list are nobody's text."""
    return Counter(c for c in text if not c.isspace() and c not in "•☐☑[]x¦\u200b")


def test_the_set_is_large():
    """At least 150 answers, of all kinds."""
    assert len(GOLDEN) >= 150
    assert max(map(len, GOLDEN.values())) >= 45_000


@ANSWERS
@pytest.mark.parametrize("form", slack.FORMS)
def test_slack_takes_it(job, name, form):
    """By the limits that Slack documents, and those that it was seen to have."""
    made = slack.parts(GOLDEN[name])

    for number in range(len(made)):
        arguments = slack.message(job(GOLDEN[name]), made, number, form=form)
        slack_blocks.check(arguments, slack_blocks.TEXT)
        assert len(arguments["text"]) > 0


@ANSWERS
def test_its_text_is_kept(job, name):
    """At least 99 % of what a reader of the Markdown would see stands in the blocks."""
    messages = slack.render(job(GOLDEN[name]))

    wanted = characters(meant(GOLDEN[name]))
    kept = wanted & characters("\n".join(shown(m["blocks"]) for m in messages))
    assert name in CUT or sum(kept.values()) >= 0.99 * sum(wanted.values())
    assert len(messages) <= slack.PARTS
    assert (slack.CUT in shown(messages[-1]["blocks"])) == (name in CUT)


@ANSWERS
def test_it_calls_nobody(job, name):
    """No user, group or channel is named by an element, and no text that Slack parses has what calls one."""
    for message in slack.render(job(GOLDEN[name])):
        kinds = set(re.findall(r"'type': '(\w+)'", str(message["blocks"])))
        assert not kinds & {"user", "usergroup", "broadcast", "channel"}
        assert not MENTION.search(message["text"])
    for form in ("simple", "words"):
        made = slack.parts(GOLDEN[name])
        for number in range(len(made)):
            simple = slack.message(job(), made, number, form=form)
            assert not MENTION.search(simple["text"] + shown(simple.get("blocks", [])))
