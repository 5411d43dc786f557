"""
One request's trace as a picture, in the terminal: `make trace`; ARGS="--svg docs/pictures/trace.svg" records it.

It plays a conversation in Slack through everything that is real but Slack and the model (see `devkit.demo`), takes the
spans that the functions export by OTLP, and draws the trace of the turn that calls a tool.
`make trace ARGS="--listen 4318"` plays nothing: it draws what is sent to that port, each trace once it is quiet. Point
what runs already at it by OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from devkit.collector import Collector, Span

WIDTH = 130
NAME, BAR = 62, 40
QUIET = 3.0  # seconds without a new span: a trace is whole
COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_red", "bright_cyan", "bright_green", "bright_magenta")
SAID = (  # attributes that are worth a word
    "gen_ai.agent.name", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "parley.verdict", "parley.outcome",
    "parley.passages", "parley.attempt", "http.response.status_code", "error.type",
)  # fmt: skip
SHORT = {"gen_ai.agent.name": "agent", "gen_ai.usage.input_tokens": "in", "gen_ai.usage.output_tokens": "out",
         "http.response.status_code": "status", "error.type": "error"}  # fmt: skip


def picture(spans: Sequence[Span]) -> Table:
    """Draw a trace: a tree by parents, a bar by time, a colour by function."""
    begun, ended = min(span.begun for span in spans), max(span.ended for span in spans)
    places = _places(spans)
    colours = dict(zip(dict.fromkeys(places[span.id] for span, _ in tree(spans)), COLOURS * 4, strict=False))
    title = f"trace {spans[0].trace} · {len(spans)} spans · {(ended - begun) / 1e6:.0f} ms"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("span", no_wrap=True, width=NAME)
    table.add_column("function", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("", width=BAR, no_wrap=True)
    for span, depth in tree(spans):
        colour = colours[places[span.id]]
        name = Text("  " * depth + span.name, style="bold red" if span.failed else "bold" if depth < 1 else "")
        if said := _said(span):
            name.append(f"  {said}", style="dim")
        name.truncate(NAME, overflow="ellipsis")
        took = f"{(span.ended - span.begun) / 1e6:.1f}"
        bar = _bar(span.begun - begun, span.ended - begun, ended - begun, colour)
        table.add_row(name, Text(places[span.id], style=colour), took, bar)
    return table


def tree(spans: Sequence[Span]) -> Iterator[tuple[Span, int]]:
    """Give the spans as they are read: each with how deep it lies, below its parent, in the order of time."""
    known = {span.id for span in spans}

    def below(parent: str, depth: int) -> Iterator[tuple[Span, int]]:
        for span in sorted((one for one in spans if one.parent == parent), key=lambda one: one.begun):
            yield span, depth
            yield from below(span.id, depth + 1)

    for span in sorted((one for one in spans if one.parent not in known), key=lambda one: one.begun):
        yield span, 0
        yield from below(span.id, 1)


def _places(spans: Sequence[Span]) -> dict[str, str]:
    """Say in which function each span was: its own word, else its parent's."""
    by_id = {span.id: span for span in spans}

    def place(span: Span) -> str:
        if own := span.attributes.get("parley.function"):
            return str(own)
        return place(by_id[span.parent]) if span.parent in by_id else span.service

    return {span.id: place(span) for span in spans}


def _said(span: Span) -> str:
    kept = ((name, span.attributes[name]) for name in SAID if name in span.attributes)
    return " ".join(f"{SHORT.get(name, name.removeprefix('parley.'))}={value}" for name, value in kept)


def _bar(begun: int, ended: int, whole: int, colour: str) -> Text:
    """Draw from `begun` to `ended` in eighths of a character."""
    whole = max(whole, 1)
    left, right = begun * BAR * 8 // whole, max(ended * BAR * 8 // whole, begun * BAR * 8 // whole + 1)
    full, rest = divmod(right - left // 8 * 8, 8)
    return Text(" " * (left // 8) + "█" * full + " ▏▎▍▌▋▊▉"[rest].strip(), style=colour)


def main() -> None:
    """Play, or listen, and draw."""
    parser = argparse.ArgumentParser(prog="devkit.trace", description="One request's trace, in the terminal.")
    parser.add_argument("--svg", type=Path, help="also record it as a picture")
    parser.add_argument("--listen", type=int, metavar="PORT", help="draw what is sent to this port")
    options = parser.parse_args()
    console = Console(record=True, width=WIDTH, force_terminal=True if options.svg else None)
    if options.listen:
        listen(console, options.listen)
        return
    console.print(picture(played(console)))
    if options.svg:
        from devkit.recording import svg

        options.svg.write_text(svg(console, "A question in Slack, from its request to the delivery"), encoding="utf-8")


def played(console: Console) -> list[Span]:
    """Let Alice ask in Slack for a laptop; gives the trace of the turn that looks hers up and answers, whole."""
    from devkit.demo import Demo, started

    with Collector() as collector, ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        with Console(stderr=True).status("starting PostgreSQL, Llama Stack, Slack's stand-in and Parley …"):
            slack, parley = started(stack, folder, env)
        demo = Demo(parley, slack, Console(file=(folder / "conversation").open("w"), width=console.width))
        demo.say("I need a new laptop")
        demo.hear("Shall I order")
        trace = collector.until(is_whole)[0].trace
        stack.close()  # whoever leaves sends what is left
        return collector.traces()[trace]


def is_whole(spans: Sequence[Span]) -> bool:
    """Whether a trace tells of a question in Slack, a tool, and the answer's delivery."""
    names = {span.name for span in spans}
    return any(name.startswith("execute_tool") for name in names) and {"POST /slack/events", "send slack"} <= names


def listen(console: Console, port: int) -> None:
    """Draw each trace that comes, once it is quiet, until Ctrl-C."""
    with Collector(port) as collector:
        console.print(f"waiting for OTLP at {collector.url}", style="dim")
        shown: dict[str, int] = {}
        while True:
            for trace, spans in collector.traces().items():
                is_quiet = time.time() - max(span.ended for span in spans) / 1e9 > QUIET
                if is_quiet and shown.get(trace) != len(spans):
                    console.print(picture(spans))
                    shown[trace] = len(spans)
            time.sleep(0.5)


if __name__ == "__main__":
    main()
