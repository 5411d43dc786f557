"""
Templates: what we say around an answer on a channel, in Jinja's language, and nothing that a template should not do.

Each file is checked when it is read: that it is well-formed, uses only what it is given, and renders. Jinja is imported
then and not before; Flask has it loaded in any case.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from parley.channels import wording
from parley.domain.delivery import Job
from parley.errors import Misconfigured

if TYPE_CHECKING:
    from jinja2 import Template

# By file: what it is given. Everything is text, but `sources`, a list of it.
OFFERED = frozenset({"kind", "opening", "question", "agent", "sources", "note"})
FILES: Mapping[str, Mapping[str, frozenset[str]]] = {
    "email": {
        "subject.txt": OFFERED,
        "frame.txt": OFFERED | {"answer", "footer"},
        "frame.html": OFFERED | {"answer", "footer", "preview", "font"},
        "footer.txt": OFFERED,
    },
    "slack": {"footer.txt": OFFERED},
    "sms": {"frame.txt": OFFERED | {"answer"}, "linked.txt": OFFERED | {"beginning", "link"}},
}


class Templates:
    """The templates of one channel. `texts`: by file name. Raises Misconfigured, which names the file."""

    def __init__(self, channel: str, texts: Mapping[str, str]) -> None:
        from jinja2 import StrictUndefined, TemplateError, meta
        from jinja2.sandbox import SandboxedEnvironment

        wanted = FILES[channel]
        if missing := sorted(wanted.keys() - texts.keys()):
            raise Misconfigured(f"templates/{channel}/{missing[0]}: missing")
        environment = SandboxedEnvironment(
            autoescape=lambda name: bool(name) and str(name).endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals.clear()
        self._made: dict[str, Template] = {}
        for name, given in wanted.items():
            where = f"templates/{channel}/{name}"
            try:
                parsed = environment.parse(texts[name], where)
                if unknown := sorted(meta.find_undeclared_variables(parsed) - given):
                    raise Misconfigured(f"{where}: {unknown[0]}: unknown; there is {', '.join(sorted(given))}")
                self._made[name] = environment.from_string(texts[name])
                if name.endswith(".html"):
                    self._made[name] = environment.overlay(autoescape=True).from_string(texts[name])
                self._made[name].render({**dict.fromkeys(given, "x"), "sources": ["x"]})
            except TemplateError as error:
                raise Misconfigured(f"{where}: {error.message}") from None
            except (TypeError, ValueError, ArithmeticError) as error:
                raise Misconfigured(f"{where}: does not render: {type(error).__name__}") from None

    def say(self, name: str, job: Job, **more: Any) -> str:
        """Render one file for a delivery."""
        given = {
            "kind": job.kind,
            "opening": more.pop("opening", job.question),
            "question": job.question,
            "agent": job.agent or "",
            "sources": wording.sources(job),
            "note": wording.note(job),
        }
        return self._made[name].render({**given, **more}).strip()
