"""
How much of a conversation a model is told: the newest messages word for word, what came before as a summary.

Tokens are estimated at four bytes each, which is on the safe side for most languages and costs nothing.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from parley.domain.turn import Message, Read

if TYPE_CHECKING:
    from parley.agents.loop import Conversation

FULL = 0.75  # of the budget: above it, what was said first is summed up
OVERHEAD = 2_500  # tokens of instructions, tools and sources
ANSWER = 1_000  # tokens of an answer without a limit
KEPT = 0.2  # of the budget: the newest messages, which stay as they are


def tokens(text: str) -> int:
    """Estimate."""
    return (len(text.encode()) + 3) // 4


def older(history: Sequence[Message], summary: str, budget: int) -> tuple[Message, ...]:
    """Give the messages that must be summed up now: none while everything fits, else all but the newest."""
    costs = [tokens(message.content) for message in history]
    if sum(costs) + tokens(summary) <= budget * FULL:
        return ()
    kept, room = 0, budget * KEPT
    for cost in reversed(costs):
        if cost > room and kept >= 1:
            break
        room -= cost
        kept += 1
    return tuple(history[: len(history) - kept])


def shares(files: Sequence[Read], budget: int) -> list[tuple[Read, str]]:
    """Give each file that was read with as much of its text as it is told: the newest first, while there is room."""
    kept: list[tuple[Read, str]] = []
    left = budget
    for file in reversed(files):
        text = file.text.encode()[: 4 * left].decode("utf-8", "ignore")
        left -= tokens(text)
        kept.append((file, text))
    return kept[::-1]


def expected(conversation: "Conversation", longest: int | None, file_tokens: int = 0) -> tuple[int, int]:
    """Estimate the tokens of one call of a model: all that it is told, and its longest answer."""
    said = [message.content for message in conversation.history]
    results = [result.output for result in conversation.results]
    files = [text for _, text in shares(conversation.files, file_tokens)]
    told = [conversation.summary, conversation.question, *said, *results, *files]
    return sum(map(tokens, told)) + OVERHEAD, longest or ANSWER
