"""
make eval: hold every conversation k times and say how often it ended as it should, how long it took, what it cost.

    make eval                                         the scripted model, through a real Llama Stack server
    make eval ARGS="--url http://host:8321 --model M" any model of any server
    make eval ARGS="--only refresh -k 1"              some of them

With the scripted model, conversations whose model does wrong must fail, or the status is 1; a real model is not asked
to do wrong.
"""

import argparse
import json
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from devkit.behaviour import LAPTOP_REFRESH, Behaviour
from devkit.installation import QUICK, Installation
from devkit.llama import LlamaStack
from devkit.model import ScriptedModel
from evals.held import Holder

SCRIPTS = {"laptop refresh": LAPTOP_REFRESH}
CONVERSATIONS = Path(__file__).parent / "conversations.yaml"


def main(arguments: list[str]) -> int:
    """Hold them. Returns 1 when one did not end as it must."""
    parser = argparse.ArgumentParser(prog="eval", description="Conversations with their ends.")
    parser.add_argument("--url", help="a Llama Stack server; without it, one is started with the scripted model")
    parser.add_argument("--model", help="its model")
    parser.add_argument("-k", type=int, default=5)
    parser.add_argument("--only", default="", help="those whose name has this")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options = parser.parse_args(arguments)
    wanted = yaml.safe_load(CONVERSATIONS.read_text(encoding="utf-8"))["conversations"]
    wanted = [one for one in wanted if options.only in one["name"]]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = None if options.url else stack.enter_context(ScriptedModel())
        server = stack.enter_context(LlamaStack(model.url, folder / "llama")) if model else None
        url, name = (server.url, server.model) if server else (options.url, options.model)
        env = {**QUICK, "LLAMA_STACK_URL": url, "LLAMA_STACK_MODEL": name or "", "MODEL_PRICES": f"{name}=1/2"}
        parley = stack.enter_context(Installation(folder / "parley", env))
        lines = held(Holder(parley), wanted, model, options.k)
    return say(lines, options.k, as_json=options.json)


def held(holder: Holder, wanted: list[dict[str, Any]], model: ScriptedModel | None, k: int) -> list[dict[str, Any]]:
    """Hold each conversation k times; gives a line for each."""
    lines = []
    for one in wanted:
        if model is None and one.get("must") == "fail":
            continue
        if model:
            script = one["script"]
            model.reset()
            model.behave(Behaviour(SCRIPTS[script] if isinstance(script, str) else script))
        runs = [run(holder, one) for _ in range(k)]
        lines.append({
            "name": one["name"], "must": one.get("must", "pass"), "right": sum(not faults for faults, *_ in runs),
            "k": k, "faults": sorted({fault for faults, *_ in runs for fault in faults}),
            "seconds": statistics.median(seconds for _, seconds, *_ in runs),
            "tokens": statistics.mean(tokens for *_, tokens, _ in runs), "cost": sum(cost for *_, cost in runs) / k,
        })  # fmt: skip
    return lines


def run(holder: Holder, one: dict[str, Any]) -> tuple[list[str], float, int, float]:
    """Hold it once; gives what was wrong, seconds, tokens and cost."""
    seen = holder.hold(one["says"])
    return (holder.faults(seen, one["expect"]), seen.seconds, *holder.spent(seen))


def as_it_must(line: dict[str, Any]) -> bool:
    """Whether a line is as it must be: every run right, or, where the model does wrong, none."""
    return bool(line["right"] == (line["k"] if line["must"] == "pass" else 0))


def say(lines: list[dict[str, Any]], k: int, *, as_json: bool) -> int:
    """Print the lines; gives the status."""
    good = [line for line in lines if line["must"] == "pass"]
    passed = sum(line["right"] == k for line in good)
    total = {"k": k, "conversations": len(good), "pass_hat_k": passed / len(good) if good else 0.0,
             "as_they_must": sum(map(as_it_must, lines)), "of": len(lines)}  # fmt: skip
    if as_json:
        print(json.dumps({**total, "lines": lines}))
    else:
        for line in lines:
            mark = "ok   " if as_it_must(line) else "WRONG"
            took = f"{line['seconds']:6.2f} s {line['tokens']:7.0f} tokens {line['cost']:.6f}"
            print(f"{mark} {line['right']}/{k} (must {line['must']}) {took}  {line['name']}")
            if not as_it_must(line) or line["must"] == "fail":
                print("".join(f"        {fault}\n" for fault in line["faults"]), end="")
        print(f"pass^{k}: {total['pass_hat_k']:.2f} of {len(good)} conversations; as they must: "
              f"{total['as_they_must']} of {len(lines)}")  # fmt: skip
    return 0 if total["as_they_must"] == len(lines) and lines else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
