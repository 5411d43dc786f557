"""Ask, watch, decide."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from parley.api.answers import OpenAction, RequestItem, RequestResult, RequestStatus
from parley.cli.app import Here, app, here
from parley.cli.show import Column, Screen, ago
from parley.client import Draft, Event, Parley, TimedOut

Id = Annotated[str, typer.Argument(metavar="REQUEST", help="The id of a request.")]
_DOING = {"model": "thinking", "tool": "using a tool", "handover": "handing over", "summary": "looking back"}

STATUS: tuple[Column, ...] = (
    ("request", lambda r: r.request_id), ("session", lambda r: r.session_id), ("status", lambda r: r.status),
    ("attempt", lambda r: r.attempt or None), ("before it", lambda r: r.queue_position or None),
    ("asked", lambda r: r.created_at), ("began", lambda r: r.started_at), ("ended", lambda r: r.finished_at),
    ("deadline", lambda r: r.deadline if r.finished_at is None else None),
)  # fmt: skip
LIST: tuple[Column, ...] = (
    ("request", lambda r: r.request_id), ("status", lambda r: r.status),
    ("asked", lambda r: f"{ago(r.created_at)} ago"), ("source", lambda r: r.source),
    ("question", lambda r: " ".join((r.content or "").split())[:80]),
)  # fmt: skip


@app.command()
def ask(
    context: typer.Context,
    question: Annotated[list[str], typer.Argument(help="The question; `-` reads it from standard input.")],
    session: Annotated[str | None, typer.Option(help="Go on with this conversation.", metavar="SESSION")] = None,
    background: Annotated[
        bool, typer.Option("--background", "-b", help="Do not wait; print the request's id.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the answer.")] = 300.0,
    channel: Annotated[list[str] | None, typer.Option(help="Also send the answer there; may be given often.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key is the same question.", metavar="KEY")
    ] = None,
) -> int:
    """Ask a question, and show the answer while it comes."""
    text = sys.stdin.read() if question == ["-"] else " ".join(question)
    more = {"delivery": {"channels": channel}} if channel else {}
    with here(context).parley() as parley:
        asked = parley.requests.ask(
            text, session_id=session, kind="cli", wait=0, key=idempotency_key, command="ask", **more
        )
        if background:
            return _taken(here(context), asked)
        return follow(here(context), parley, asked, timeout)


@app.command()
def chat(
    context: typer.Context,
    session: Annotated[str | None, typer.Option(help="Go on with this conversation.", metavar="SESSION")] = None,
) -> int:
    """Talk in the terminal. `/new` begins anew, `/quit` or Ctrl-D ends."""
    there = here(context)
    with there.parley() as parley:
        current = session or str(parley.sessions.create("In the terminal").session_id)
        there.screen.note(f"conversation {current}; /new begins anew, /quit ends")
        while (line := _line(there.screen)) is not None:
            if line == "/new":
                current = str(parley.sessions.reset(current).session_id)
                there.screen.note(f"conversation {current}")
            elif line:
                asked = parley.requests.ask(line, session_id=current, kind="cli", wait=0, command="chat")
                follow(there, parley, asked, 300.0)
    return 0


@app.command()
def status(context: typer.Context, request: Id) -> int:
    """Say how a request stands, and what it waits for."""
    with here(context).parley() as parley:
        found = parley.requests.status(request)
    here(context).screen.one(found, STATUS)
    if not here(context).screen.as_json:
        for action in found.requires_action:
            _show_action(here(context).screen, request, action)
    return 0


@app.command()
def result(
    context: typer.Context,
    request: Id,
    wait: Annotated[float, typer.Option(help="Seconds to wait for it.")] = 0.0,
) -> int:
    """Show the answer of a request. Exit status 5: it is not over."""
    with here(context).parley() as parley:
        found = parley.requests.wait(request, wait) if wait else parley.requests.result(request)
    if found is None:
        raise TimedOut(f"request {request} is not over")
    return _show_result(here(context).screen, found)


@app.command()
def watch(
    context: typer.Context, request: Id, after: Annotated[int, typer.Option(help="Behind this event.")] = 0
) -> int:
    """Show what happens to a request, event by event, until it is over."""
    screen = here(context).screen
    with here(context).parley() as parley:
        for event in parley.requests.stream(request, after):
            screen.json({"seq": event.seq, "type": event.type, "data": event.data})
    return 0


@app.command(name="list")
def list_(
    context: typer.Context,
    session: Annotated[str | None, typer.Option(metavar="SESSION")] = None,
    state: Annotated[str | None, typer.Option("--status", metavar="STATUS")] = None,
    limit: Annotated[int, typer.Option(help="How many.")] = 20,
) -> int:
    """Show requests, the newest first."""
    with here(context).parley() as parley:
        found = parley.requests.list(session_id=session, status=state, limit=min(limit, 100))
        here(context).screen.items(_first(found, limit), LIST, "no requests")
    return 0


@app.command()
def cancel(context: typer.Context, request: Id) -> int:
    """End a request without an answer."""
    with here(context).parley() as parley:
        found = parley.requests.cancel(request)
        here(context).screen.one(found or parley.requests.status(request), (("status", lambda r: r.status),))
    return 0


@app.command()
def approve(context: typer.Context, request: Id, action: Annotated[str | None, typer.Argument()] = None) -> int:
    """Let a turn do what it asks for."""
    return _decide(here(context), request, action, approve=True)


@app.command()
def deny(context: typer.Context, request: Id, action: Annotated[str | None, typer.Argument()] = None) -> int:
    """Forbid a turn what it asks for; it goes on without."""
    return _decide(here(context), request, action, approve=False)


def follow(there: Here, parley: Parley, asked: RequestResult | RequestStatus, timeout: float) -> int:
    """Show the answer to a question while it comes. Raises TimedOut."""
    if there.screen.is_live:
        with _drawn(there.screen) as draw:
            for event in parley.requests.stream(asked.request_id):
                draw(event)
                if event.type == "requires_action":
                    break
    found = _waited(there.screen, parley, asked, timeout)
    return 0 if found is None else _show_result(there.screen, found)


def _waited(
    screen: Screen, parley: Parley, asked: RequestResult | RequestStatus, timeout: float
) -> RequestResult | None:
    """Wait for the end; None when a person has to decide something first."""
    while timeout > 0:
        now = parley.requests.status(asked.request_id)
        if now.requires_action:
            for action in now.requires_action:
                _show_action(screen, str(asked.request_id), action)
            return None
        try:
            return parley.requests.wait(asked.request_id, min(timeout, 20.0))
        except TimedOut:
            timeout -= 20.0
    raise TimedOut(f"request {asked.request_id} is not over; `parley result {asked.request_id}` shows it later")


@contextmanager
def _drawn(screen: Screen) -> Iterator[Any]:
    """Draw an answer as it grows, in a place that is gone when it is over."""
    from rich.live import Live
    from rich.markdown import Markdown
    from rich.spinner import Spinner

    draft, spinner = Draft(), Spinner("dots", "waiting …")
    with Live(spinner, console=screen.out, transient=True, refresh_per_second=12) as live:

        def draw(event: Event) -> None:
            draft.take(event)
            if event.type == "step" and event.data.get("state") == "started":
                spinner.update(text=f"{_DOING.get(event.data.get('kind', ''), 'working')} …")
            live.update(Markdown(draft.text) if draft.text else spinner)

        yield draw


def _show_result(screen: Screen, found: RequestResult) -> int:
    if screen.as_json:
        screen.json(found)
    elif found.result:
        screen.markdown(found.result.text or "(erased)")
        screen.sources(found.result.citations)
    else:
        screen.complain(found.error.title if found.error else found.status)
    return 0 if found.status == "completed" else 1


def _show_action(screen: Screen, request: str, action: OpenAction) -> None:
    if screen.as_json:
        screen.json(action)
        return
    screen.out.rule("a decision is needed", style="yellow")
    screen.one(action, (("what", lambda a: a.summary), ("tool", lambda a: a.tool), ("with", lambda a: a.arguments),
                        ("until", lambda a: a.expires_at)))  # fmt: skip
    screen.note(f"parley approve {request}   or   parley deny {request}")


def _decide(there: Here, request: str, wanted: str | None, *, approve: bool) -> int:
    with there.parley() as parley:
        waiting = parley.requests.status(request).requires_action
        action = next((one for one in waiting if wanted in (None, str(one.action_id))), None)
        if action is None:
            there.screen.complain("nothing is to be decided there (any more)")
            return 1
        decision = parley.requests.decide(request, action.action_id, action.digest, approve=approve)
    there.screen.one(decision, (("action", lambda d: d.action_id), ("is", lambda d: d.state)))
    return 0


def _taken(there: Here, asked: RequestResult | RequestStatus) -> int:
    if there.screen.as_json:
        there.screen.json(asked)
    else:
        there.screen.out.print(str(asked.request_id))
    return 0


def _line(screen: Screen) -> str | None:
    try:
        line = input("> " if screen.is_live else "").strip()
    except EOFError:
        return None
    return None if line in ("/quit", "/exit") else line


def _first(items: Iterator[RequestItem], count: int) -> Iterator[RequestItem]:
    from itertools import islice

    return islice(items, count)
