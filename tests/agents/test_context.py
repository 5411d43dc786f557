"""How much of a conversation is told word for word, and when what was said first is summed up."""

from parley.agents import context, loop
from parley.agents.config import parse
from parley.domain.turn import Message

AGENTS = parse(
    {"a": {"name": "a", "description": "Helps.", "instructions": "Help.", "entry": True, "context_tokens": 500}}
)


def said(count, size=200):
    return tuple(Message("user" if n % 2 == 0 else "assistant", f"{n} " + "x" * size, None, n) for n in range(count))


def test_what_fits_is_left_alone():
    assert context.older(said(4), "", 500) == ()


def test_above_three_quarters_all_but_the_newest_fifth_is_summed_up():
    messages = said(12)
    older = context.older(messages, "", 500)
    kept = messages[len(older) :]
    assert older + kept == messages
    assert sum(context.tokens(one.content) for one in kept) <= 100 or len(kept) == 1


def test_one_message_that_is_too_long_alone_is_still_told():
    messages = said(3, size=4000)
    assert context.older(messages, "", 500) == messages[:2]


def test_the_loop_sums_up_once_and_then_asks():
    conversation = loop.start(AGENTS, "?", said(12), None)
    wanted = loop.decide(AGENTS, conversation)
    assert isinstance(wanted, loop.Summarise)
    after = loop.summarised(conversation, wanted.older, loop.Answer("In short."))
    assert (after.summary, len(after.history)) == ("In short.", 12 - len(wanted.older))
    assert isinstance(loop.decide(AGENTS, after), loop.AskModel)


def test_without_a_summary_the_older_ones_are_dropped():
    conversation = loop.start(AGENTS, "?", said(12), None, summary="Before.")
    wanted = loop.decide(AGENTS, conversation)
    after = loop.summarised(conversation, wanted.older, loop.Answer(""))
    assert after.summary == "Before."
    assert isinstance(loop.decide(AGENTS, after), loop.AskModel)


def test_start_over_forgets_and_a_person_is_called_without_a_model():
    over = loop.decide(AGENTS, loop.start(AGENTS, "Start over!", said(2), "a", tainted=True))
    assert (over.text, over.forgets) == (AGENTS.entry.phrases.started_over, True)
    person = loop.start(AGENTS, "Talk to a human.", (), "a")
    assert loop.decide(AGENTS, person).call.name == loop.ESCALATE
    assert loop.decide(AGENTS, loop.ran(person, "Told.")).text == "Told."
