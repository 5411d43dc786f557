"""
Every query of config/observability, run by a real Prometheus on what running functions tell: `make metrics`.

    python -m devkit.observing [--seconds 12] [--svg docs/pictures/metrics.svg]

It starts an installation, Slack's stand-in and a scripted model, lets people ask while the model errs, Slack refuses
and events are broken, has Prometheus (Debian's package) scrape all of it, checks and tests the alert rules with
promtool, and asks each query of the dashboard and of the alerts. A query that is wrong, or finds nothing, fails it. The
picture is what the dashboard would show of that time.
"""

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psycopg
import yaml
from rich.console import Console

from devkit.behaviour import LAPTOP_REFRESH, Behaviour
from devkit.installation import QUICK, Installation
from devkit.model import NAME, Broken, ScriptedModel
from devkit.plots import Plot, Series, drawn
from devkit.slack import ALICE, BOT_USER, GENERAL, SlackStandIn, deliver
from standalone.host import free_ports

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config" / "observability"
WINDOW = "10s"  # of rates: scraped each second

console = Console(stderr=True)


@dataclass(frozen=True)
class Query:
    """A query of the dashboard or of an alert, without what it is compared with."""

    title: str
    row: str
    expr: str
    legend: str = ""
    unit: str = "short"


class Prometheus:
    """Debian's Prometheus, scraping what it is told to each second."""

    def __init__(self, folder: Path, targets: Mapping[str, tuple[int, str]]) -> None:
        [self._port] = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}"
        self._folder = folder
        jobs = [
            {"job_name": job, "metrics_path": path, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            for job, (port, path) in targets.items()
        ]
        settings = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(CONFIG / "alerts.yaml")],
            "scrape_configs": jobs,
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")

    def __enter__(self) -> Self:
        command = [
            "prometheus", f"--config.file={self._folder / 'prometheus.yaml'}", f"--storage.tsdb.path={self._folder}",
            f"--web.listen-address=127.0.0.1:{self._port}", "--log.level=error",
        ]  # fmt: skip
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
        end = time.monotonic() + 30
        while not self._answers():
            said = (self._folder / "log").read_text(encoding="utf-8")
            assert self._process.poll() is None, said
            assert time.monotonic() < end, said
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)

    def get(self, path: str, **parameters: Any) -> Any:
        """Ask; gives the data. Raises ValueError with Prometheus' own words for a query that is wrong."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30).json()
        if answer["status"] != "success":
            raise ValueError(answer["error"])
        return answer["data"]

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready").status_code == 200
        except httpx.HTTPError:
            return False


def panels() -> list[Query]:
    """Give every query of the dashboard."""
    found, row = [], ""
    for panel in json.loads((CONFIG / "dashboard.json").read_text(encoding="utf-8"))["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
            continue
        unit = panel["fieldConfig"]["defaults"]["unit"]
        found += [
            Query(panel["title"], row, one["expr"].replace("$__rate_interval", WINDOW), one["legendFormat"], unit)
            for one in panel["targets"]
        ]
    return found


def alerts() -> list[Query]:
    """Give every query of the alert rules."""
    groups = yaml.safe_load((CONFIG / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [Query(rule["alert"], "alerts", rule["expr"]) for group in groups for rule in group["rules"]]


def observed(stack: ExitStack, folder: Path) -> tuple["People", Prometheus]:
    """Start everything."""
    slack, model = stack.enter_context(SlackStandIn()), stack.enter_context(ScriptedModel())
    model.behave(Behaviour(LAPTOP_REFRESH))
    [port] = free_ports(1)
    env = {
        **QUICK, "LLAMA_STACK_URL": model.url, "LLAMA_STACK_MODEL": NAME, "MODEL_PRICES": f"{NAME}=1/2",
        "SLACK_SIGNING_SECRET": slack.signing_secret, "SLACK_BOT_TOKEN": slack.token, "SLACK_API_URL": slack.api_url,
        "OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": str(port),
    }  # fmt: skip
    parley = stack.enter_context(Installation(folder / "parley", env))
    targets = {"parley": (port, "/metrics"), "parley-state": (parley.facts["port"], "/functions/recover/metrics")}
    return People(parley, slack, model), stack.enter_context(Prometheus(folder / "prometheus", targets))


@dataclass
class People:
    """Who asks, and what goes wrong meanwhile."""

    parley: Installation
    slack: SlackStandIn
    model: ScriptedModel

    def ask_for(self, seconds: float) -> None:
        """Ask in Slack and over the API; let everything go wrong that is counted, and be well again."""
        end, number = time.monotonic() + seconds, 0
        with ThreadPoolExecutor(4) as threads, psycopg.connect(self.parley.database_url, autocommit=True) as database:
            while time.monotonic() < end:
                number += 1
                if number % 4 == 1:  # a channel of Slack takes one message a second
                    threads.submit(self.say, number)
                threads.submit(self.ask, number)
                if number % 8 == 3:
                    self.model.say(Broken(503))
                if number % 12 == 5:
                    self._post({"ce-type": "parley.request.created"}, b'{"request_id": "none"}')
                    self._post({"ce-type": "parley.response.ready", "ce-channel": "email"}, b"{}")
                if number == 6:  # an answer by mail, where nobody has set up mail; and something that is overdue
                    self.ask(number, delivery={"channels": ["email"]})
                    database.execute(
                        "insert into circuits (name, failing_since, failures, trips, opened_at, until)"
                        " values ('slack:T0', now(), 5, 1, now(), now() + interval '1 h')"
                    )
                if number % 4 == 0:  # whatever waits to be sent again is overdue: recover nudges it
                    database.execute(
                        "update deliveries set due_at = now() - interval '1 s'"
                        " where channel = 'email' and state = 'queued'"
                    )
                time.sleep(0.4)

    def say(self, number: int) -> None:
        """Ask in Slack, in a thread of its own."""
        words = "I need a new laptop" if number % 8 == 1 else "How do I reset my password?"
        ts = self.slack.say(GENERAL, ALICE, f"<@{BOT_USER}> {words}")
        for payload in self.slack.events_for(ts):
            deliver(self.parley.slack_url, payload, self.slack.signing_secret)

    def ask(self, number: int, **wanted: Any) -> None:
        """Ask over the API, without waiting."""
        headers = {"Authorization": f"Bearer {self.parley.facts['key']}", "Prefer": "respond-async"}
        body = {"content": f"How old must laptop {number} be?", "delivery": {"channels": ["test"]}, **wanted}
        httpx.post(f"{self.parley.url}/api/v1/requests", json=body, headers=headers, timeout=30)

    def _post(self, attributes: Mapping[str, str], body: bytes) -> None:
        headers = {"ce-specversion": "1.0", "ce-id": str(time.time_ns()), "ce-source": "/devkit",
                   "content-type": "application/json", **attributes}  # fmt: skip
        httpx.post(f"http://127.0.0.1:{self.parley.facts['broker_port']}/parley/parley", content=body, headers=headers)


def found(prometheus: Prometheus, query: Query, begun: float, ended: float) -> list[Series]:
    """Run a query over all of the time; gives a line for each series, named as the dashboard names it."""
    result = prometheus.get("query_range", query=query.expr, start=begun, end=ended, step=0.5)["result"]
    return [
        Series(_named(query.legend, one["metric"]), [(float(at), float(value)) for at, value in one["values"]])
        for one in result
    ]


def _named(legend: str, labels: Mapping[str, str]) -> str:
    for label, value in labels.items():
        legend = legend.replace("{{" + label + "}}", value)
    return legend


def metric_names(prometheus: Prometheus, expr: str) -> set[str]:
    """Give the metrics of a query that Prometheus has never heard of."""
    known = set(prometheus.get("label/__name__/values"))
    named = set(
        re.findall(
            r"\b(?:parley|gen_ai)_[a-z_]+(?=[\s{)\[]|$)",
            re.sub(r"(by|without|ignoring) \([^)]*\)|\{[^}]*\}", " ", expr),
        )
    )
    return named - known


def main() -> int:
    """Run it. Returns how many queries failed."""
    parser = argparse.ArgumentParser(prog="devkit.observing", description="Every query, by a real Prometheus.")
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--svg", type=Path, help="draw what the dashboard would show")
    options = parser.parse_args()
    for rule in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]):
        subprocess.run(["promtool", *rule], check=True, cwd=CONFIG, stdout=subprocess.DEVNULL)  # noqa: S603, S607
    with ExitStack() as stack:
        people, prometheus = observed(stack, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        begun = time.time()
        people.ask_for(options.seconds)
        ended = time.time()
        wrong, plots = judged(prometheus, begun, ended)
    for line in wrong:
        console.print(line, style="red")
    console.print(f"{len(panels())} queries of the dashboard and {len(alerts())} of alerts, {len(wrong)} wrong")
    if options.svg:
        options.svg.write_text(drawn("Parley, by a real Prometheus", plots), encoding="utf-8")
    return len(wrong)


def judged(prometheus: Prometheus, begun: float, ended: float) -> tuple[list[str], Sequence[Plot]]:
    """Run every query; gives what is wrong with them, and what they found."""
    wrong, plots = [], []
    for query in panels():
        try:
            series = found(prometheus, query, begun, ended)
        except ValueError as error:
            wrong.append(f"{query.title}: {error}")
            continue
        if not any(math.isfinite(value) for one in series for _, value in one.points):
            wrong.append(f"{query.title}: finds nothing")
        plots.append(Plot(query.title, query.row, query.unit, series))
    for query in alerts():
        try:
            prometheus.get("query", query=query.expr)
        except ValueError as error:
            wrong.append(f"{query.title}: {error}")
        if unknown := metric_names(prometheus, query.expr):
            wrong.append(f"{query.title}: nobody has {', '.join(sorted(unknown))}")
    rules = prometheus.get("rules")["groups"]
    wrong += [
        f"{rule['name']}: {rule['lastError']}" for group in rules for rule in group["rules"] if rule.get("lastError")
    ]
    return wrong, plots


if __name__ == "__main__":
    sys.exit(main())
