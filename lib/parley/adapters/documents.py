"""
The text of a file that somebody sent: what it is, its content says, not its name.

A PDF is read by a process of its own, which has little memory, little time and none of our secrets: whoever sends one
may have made it to break its reader.
"""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import threading

MOST_TEXT = 200_000  # characters
MOST_PAGES = 200
SECONDS = 20.0
MEMORY = 320 * 1024 * 1024  # bytes of addresses
AT_ONCE = 1  # reader of PDFs in one process of ours: its memory is beside ours

_TURNS = threading.BoundedSemaphore(AT_ONCE)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")
_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


class Unreadable(Exception):
    """There is no text to be had of it. The message is for the person who sent it."""


def text_of(content: bytes) -> str:
    """Give the text of a PDF or a text file, up to MOST_TEXT characters. Raises Unreadable."""
    text = _of_pdf(content) if b"%PDF-" in content[:1024] else _of_text(content)
    text = _CONTROLS.sub("", text).encode("utf-8", "replace").decode().strip()
    if not text:
        raise Unreadable("it has no text")
    return text[:MOST_TEXT]


def _of_text(content: bytes) -> str:
    for encoding in (_BOMS.get(content[:2], "utf-8-sig"), "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            text = content.decode(encoding)
            if not _CONTROLS.search(text):
                return text
    raise Unreadable("it is neither text nor PDF")


def _of_pdf(content: bytes) -> str:
    """Let another process read it, in an environment without anything of ours."""
    command = [sys.executable, "-P", "-m", "parley.adapters.documents"]
    env = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}
    with _TURNS:
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter and module
                command, input=content, capture_output=True, timeout=SECONDS, env=env, check=False
            )
        except subprocess.TimeoutExpired:
            raise Unreadable("it takes too long to read") from None
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise Unreadable("it is no PDF that can be read") from None
    if found["fault"]:
        raise Unreadable(found["fault"])
    return str(found["text"])


def _limit() -> None:
    """Keep this process small and short-lived, where the system can."""
    import resource

    limits = {resource.RLIMIT_AS: MEMORY, resource.RLIMIT_CPU: int(SECONDS), resource.RLIMIT_FSIZE: 0}
    for what, most in limits.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def _pages(content: bytes) -> str:
    """Give the text of the pages, each begun by its number. Raises Unreadable."""
    import logging

    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = PdfReader(io.BytesIO(content))
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable("it is protected by a password")
    told, length = [], 0
    for number, page in enumerate(reader.pages, 1):
        if number > MOST_PAGES or length > MOST_TEXT:
            told.append(f"(the pages from {number} on were not read)")
            break
        text = page.extract_text().strip()
        if text:
            told.append(f"[page {number}]\n{text}")
            length += len(text)
    if not length:
        raise Unreadable("it has no text: it is scanned")
    return "\n\n".join(told)


def main() -> None:
    """Read a PDF from the standard input; write its text, or what is wrong with it, as JSON."""
    content = sys.stdin.buffer.read()
    _limit()
    found = {"text": "", "fault": ""}
    try:
        found["text"] = _pages(content)
    except Unreadable as error:
        found["fault"] = str(error)
    except Exception:  # noqa: BLE001 - a broken file breaks the reader wherever it happens to be
        found["fault"] = "it is no PDF that can be read"
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
