"""
How a scripted model behaves, as data: the first rule that fits what it is asked says what it does.

A rule looks at nothing but the prompt, so whoever asks twice, or goes on after a crash, is told the same.

    offered: NAME       a function that must be on offer
    missing: NAME       one that must not
    asked: REGEX        the last thing that the person said
    seen: REGEX         anything in the prompt
    after: [NAME, …]    the functions called since, exactly; `[]`: none yet
    then, one of
    say: TEXT           with $0: what `seen`, else `asked`, has found
    call: NAME          with `arguments`; a value {found: REGEX} is looked up in the results of functions
    calls: [{call: NAME, arguments: …}, …]   several at once
    fail: STATUS        an HTTP status
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from devkit.model import Broken, Call, Said, text_of

Rule = Mapping[str, Any]


class Behaviour:
    """A model that keeps to its rules; without one that fits it says that it does not know."""

    def __init__(self, rules: Sequence[Rule], *, delay: float = 0.0) -> None:
        self._rules = rules
        self._delay = delay

    def __call__(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> Said | Broken:
        """Say what is said next."""
        prompt = Prompt(messages, tools)
        for rule in self._rules:
            if (found := prompt.fits(rule)) is not None:
                return self._done(rule, prompt, found)
        return Said("I do not know.", delay=self._delay)

    def _done(self, rule: Rule, prompt: "Prompt", found: str) -> Said | Broken:
        if "fail" in rule:
            return Broken(rule["fail"])
        if "call" in rule or "calls" in rule:
            calls = tuple(self._call(one, prompt) for one in rule.get("calls", [rule]))
            return Said(calls=calls, delay=self._delay)
        return Said(str(rule["say"]).replace("$0", found), delay=self._delay)

    @staticmethod
    def _call(one: Rule, prompt: "Prompt") -> Call:
        arguments = {name: prompt.looked_up(value) for name, value in one.get("arguments", {}).items()}
        return Call(one["call"], json.dumps(arguments))


class Prompt:
    """What a model is asked, as rules see it."""

    def __init__(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> None:
        self.offered = {tool["function"]["name"] for tool in tools}
        said = [(str(one["role"]), text_of(one), one) for one in messages]
        last = max((place for place, (role, _, _) in enumerate(said) if role == "user"), default=-1)
        self.asked = said[last][1] if last >= 0 else ""
        since = said[last + 1 :]
        self.called = [call["function"]["name"] for _, _, one in since for call in one.get("tool_calls") or ()]
        self.results = "\n".join(text for role, text, _ in said if role == "tool")
        self.everything = "\n".join(text for _, text, _ in said)

    def fits(self, rule: Rule) -> str | None:
        """Give what its pattern found, None when it does not fit."""
        if "offered" in rule and rule["offered"] not in self.offered:
            return None
        if rule.get("missing") in self.offered or ("after" in rule and list(rule["after"]) != self.called):
            return None
        found = ""
        for field, text in (("asked", self.asked), ("seen", self.everything)):
            if field in rule:
                match = re.search(rule[field], text, re.IGNORECASE | re.DOTALL)
                if match is None:
                    return None
                found = match[0]
        return found

    def looked_up(self, value: Any) -> Any:
        """Give an argument: itself, or what a pattern finds in the results of functions."""
        if isinstance(value, Mapping) and "found" in value:
            match = re.search(value["found"], self.results)
            return match[0] if match else "nothing"
        return value


DESK = "service-desk__"
LAPTOP_REFRESH: tuple[Rule, ...] = (
    {"offered": "hand_over_to_it-desk", "call": "hand_over_to_it-desk"},
    {"asked": "need a new laptop", "after": [], "call": f"{DESK}find_laptops"},
    {"asked": "need a new laptop", "after": [f"{DESK}find_laptops"], "call": f"{DESK}check_refresh",
     "arguments": {"asset": {"found": r"AF\d{6}"}}},
    {"asked": "need a new laptop", "after": [f"{DESK}find_laptops", f"{DESK}check_refresh"],
     "say": "Your laptop may be replaced [1]. Shall I order a Standard 14 to your office?"},
    {"asked": "order it", "after": [], "call": f"{DESK}find_laptops"},
    {"asked": "order it", "after": [f"{DESK}find_laptops"], "call": f"{DESK}order_refresh",
     "arguments": {"asset": {"found": r"AF\d{6}"}, "model": "Standard 14", "delivery": "office"}},
    {"asked": "order it", "seen": "It was not done: the user has decided", "say": "All right, nothing was ordered."},
    {"asked": "order it", "seen": "It was not done: nobody has decided", "say": "Nobody agreed in time."},
    {"asked": "order it", "after": [f"{DESK}find_laptops", f"{DESK}order_refresh"], "seen": r"REQ\d+",
     "say": "It is ordered: ticket $0."},
)  # fmt: skip
