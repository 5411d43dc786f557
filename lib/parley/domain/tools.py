"""What a tool may do, and when a person must agree first: decided without touching anything."""

from typing import Literal

Risk = Literal["read", "write", "destructive"]
Approval = Literal["always", "tainted"]
Verdict = Literal["run", "approve", "refuse"]


def verdict(risk: Risk, approval: Approval, *, tainted: bool, when_tainted: Literal["approve", "refuse"]) -> Verdict:
    """
    Say whether a call may be made now.

    A turn is tainted once it has read what strangers may have written (a document, a result of a tool that is not
    trusted): from then on nothing is changed without a person, or not at all.
    """
    if risk == "read":
        return "run"
    if tainted and when_tainted == "refuse":
        return "refuse"
    return "approve" if tainted or risk == "destructive" or approval == "always" else "run"
