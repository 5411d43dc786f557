"""
The README's picture of the command line: what `parley` prints in a terminal, recorded as SVG.

    python -m devkit.recording docs/pictures/cli.svg

Everything runs for it: an installation of its own, the real command, in a pseudo-terminal.
"""

import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from devkit.installation import QUICK, Installation

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 104
SHOWN = (
    ("ask", "How old must my laptop be before I can get a new one?", "--channel", "test"),
    ("list", "--limit", "3"),
    ("deliveries", "list"),
    ("preferences", "show"),
)


def main(path: Path) -> None:
    """Record the commands."""
    console = Console(record=True, width=WIDTH, force_terminal=True, file=Path(os.devnull).open("w"))  # noqa: SIM115
    with tempfile.TemporaryDirectory() as folder, Installation(Path(folder) / "parley", QUICK) as parley:
        for arguments in SHOWN:
            said = " ".join(f'"{one}"' if " " in one else one for one in arguments)
            console.print(Text.assemble(("$ ", "bold green"), (f"parley {said}", "bold")))
            console.print(Text.from_ansi(printed(arguments, parley.home)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg(console, "parley"), encoding="utf-8")


def svg(console: Console, title: str) -> str:
    """Give what a console has recorded as a picture, with the reader's own fonts."""
    return re.sub(r"@font-face \{.*?\}", "", console.export_svg(title=title), flags=re.DOTALL)


def printed(arguments: tuple[str, ...], home: Path) -> str:
    """Run the command in a terminal of its own; gives what it has printed, without what it has taken back."""
    ours, theirs = pty.openpty()
    env = {
        **os.environ, "PARLEY_HOME": str(home), "PYTHONPATH": str(ROOT / "lib"), "COLUMNS": str(WIDTH),
        "TERM": "xterm-256color", "FORCE_COLOR": "1",
    }  # fmt: skip
    env.pop("NO_COLOR", None)
    # Standard output only looks like a terminal: the spinner and the growing answer are taken back at the end.
    command = [sys.executable, "-m", "parley.cli", *arguments]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, env=env, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        output, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    return _settled(output.decode())


def _settled(text: str) -> str:
    """Leave out the lines that a live display has drawn and erased."""
    return re.sub(r"^(\r|\n|\x1b\[2K|\x1b\[1A)+", "", text.rsplit("\x1b[?25h", 1)[-1])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
