"""
How much of a conversation a model is told: the newest messages word for word, what came before as a summary.

Tokens are estimated at four bytes each, which is on the safe side for most languages and costs nothing.
"""

from collections.abc import Sequence

from parley.domain.turn import Message

FULL = 0.75  # of the budget: above it, what was said first is summed up
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
