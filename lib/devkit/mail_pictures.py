"""
Pictures of what our mails look like, by Chromium: light and dark, wide and narrow.

    python -m devkit.mail_pictures [FOLDER]      docs/pictures, when none is given
"""

import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from parley.adapters.template_files import load_templates
from parley.channels import email
from parley.domain.delivery import Job

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "My laptop is slow and the fan never stops. How old must it be before I can get a new one?"
ANSWER = """\
# You can order a new laptop today

Your **Alder 13** (AF100001) is **38 months** old; laptops are replaced after three years.

## What you get

| Model | Weight | For |
|---|---:|---|
| Alder 13 | 1.1 kg | travel, office |
| Alder 15 | 1.6 kg | design, engineering |
| Alder 16 Pro | 2.1 kg | video, data science |

## What to do

1. Open [the service portal](https://example.org/portal) and choose *Laptop refresh*.
2. Pick a model. Anything above **€ 1,500** needs your manager's approval.
3. Back up what is not in the cloud:
   - `~/Documents`
   - browser profiles

```sh
alder-backup --target cloud --verify
```

> Your old laptop is collected two weeks after the new one arrives. Keep its charger.
"""
WIDE, NARROW = (900, 1050), (390, 1160)  # pixels
NARROWEST = 500  # of a window of Chromium


def main(arguments: list[str]) -> int:
    """Take the pictures. Returns the exit status."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("there is no chromium: apt-get install chromium", file=sys.stderr)
        return 1
    folder = Path(arguments[0]) if arguments else ROOT / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        page = Path(work) / "mail.html"
        page.write_text(mail(), encoding="utf-8")
        for name, size in (("wide", WIDE), ("narrow", NARROW)):
            for theme, scheme in (("light", 1), ("dark", 0)):
                target = folder / f"mail-{theme}-{name}.png"
                shoot(chromium, page, target, size, scheme)
                print(target)
    return 0


def mail() -> str:
    """Give the page of an answer as a mail program gets it."""
    now = datetime(2026, 11, 26, 12, tzinfo=UTC)
    sources = (
        {"title": "Laptop refresh", "heading": "Who can get one"},
        {"title": "Laptop refresh", "heading": "Models"},
    )
    job = Job(
        delivery_id=UUID(int=1), request_id=UUID(int=2), session_id=UUID(int=3), kind="answer", channel="email",
        address={"to": "ann@example.org"}, epoch=1, attempt=1, at=now, answered_at=now, left=1.0, question=QUESTION,
        text=ANSWER, citations=sources,
    )  # fmt: skip
    message = email.render(job, "Parley <parley@example.org>", load_templates(ROOT / "config", "email"))
    body = message.get_body(("html",))
    assert body, "there is an HTML part"
    return str(body.get_content())


def shoot(chromium: str, page: Path, target: Path, size: tuple[int, int], scheme: int) -> None:
    """Take one picture; a page narrower than any window stands in a frame of its width."""
    width, height = size
    if width < NARROWEST:
        frame = page.with_name("frame.html")
        style = f"border:0;width:{width}px;height:{height}px"
        frame.write_text(
            f'<body style="margin:0"><iframe src="{page.name}" style="{style}"></iframe>', encoding="utf-8"
        )
        page = frame
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
    look = (f"--window-size={max(width, NARROWEST)},{height}", f"--blink-settings=preferredColorScheme={scheme}")
    subprocess.run(  # noqa: S603 - the browser of this machine, on a page of ours
        [chromium, *options, *look, f"--screenshot={target}", page.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
