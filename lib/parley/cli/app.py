"""
The command and what all its commands share.

Exit status: 0 done · 1 the request failed, or what was asked for could not be done · 2 a flag or a setting is wrong ·
3 the key is none, or may not · 4 there is no such thing · 5 nobody answers, or not in time · 130 Ctrl-C.
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from parley.cli.place import Place, Unclear, find
from parley.cli.show import Screen
from parley.client import (
    Forbidden,
    Foreign,
    NotFound,
    Parley,
    ParleyError,
    TimedOut,
    Unauthenticated,
    Unreachable,
    Unusable,
)

PATIENCE = 5.0  # seconds that a call is repeated for while nobody answers: a person waits
app = typer.Typer(
    name="parley",
    help="Ask Parley, and look after it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Here:
    """What a command works with: which installation, and where to write."""

    def __init__(self, place: Place, screen: Screen) -> None:
        self.place = place
        self.screen = screen

    def parley(self) -> Parley:
        """Open the installation. Raises Unclear."""
        place = self.place.needed()
        return Parley(place.url, place.key, acting_for=place.acting_for or None, patience=PATIENCE)


@app.callback()
def _begin(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(help="Address of the installation.", metavar="URL")] = None,
    key: Annotated[str | None, typer.Option(help="API key; better in PARLEY_KEY or a profile.", metavar="KEY")] = None,
    acting_for: Annotated[str | None, typer.Option("--for", help="For whom a service asks.", metavar="E-MAIL")] = None,
    profile: Annotated[str | None, typer.Option(help="Profile of the configuration file.", metavar="NAME")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON for programs: a document, or a line an item.")] = False,
) -> None:
    flags = {"url": url, "key": key, "for": acting_for, "profile": profile}
    context.obj = Here(find(flags, os.environ, Path.cwd()), Screen(as_json=as_json))


def here(context: typer.Context) -> Here:
    """Give what a command works with."""
    found: Here = context.obj
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit status."""
    from parley.cli import asking, deliveries, events, operating, preferences, sessions, trouble, users

    _ = (asking, deliveries, events, operating, preferences, sessions, trouble, users)  # each adds its commands
    given = list(sys.argv[1:] if arguments is None else arguments)
    flags = given[: given.index("--")] if "--" in given else given
    if "--json" in flags:  # of the command, wherever it stands
        given.remove("--json")
        given.insert(0, "--json")
    return guarded(lambda: app(given, prog_name="parley", standalone_mode=False))


def guarded(run: Callable[[], Any]) -> int:
    """Run, and turn what went wrong into words and an exit status."""
    screen = Screen()
    try:
        status = run()
        return status if isinstance(status, int) else 0
    except Unclear as error:
        screen.complain(str(error))
        return 2
    except ParleyError as error:
        screen.complain(str(error))
        return _status(error)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except typer.Exit as ended:
        return ended.exit_code
    except Exception as error:
        if hasattr(error, "format_message"):  # of the library that reads flags: a wrong one
            screen.complain(error.format_message())
            return 2
        raise


def _status(error: ParleyError) -> int:
    if isinstance(error, (Unauthenticated, Forbidden)):
        return 3
    if isinstance(error, NotFound):
        return 4
    if isinstance(error, Unusable):
        return 2
    return 5 if isinstance(error, (Foreign, Unreachable, TimedOut)) else 1
