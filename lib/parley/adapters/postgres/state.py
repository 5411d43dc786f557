"""What is owed now, for Prometheus: counted from the rows when it is asked for, by recover alone."""

import time
from collections.abc import Iterable
from typing import Any

from parley.adapters.postgres.database import Database
from parley.domain import ids
from parley.errors import Unavailable

PATH = "/metrics"
FORMAT = "text/plain; version=0.0.4; charset=utf-8"  # https://prometheus.io/docs/instrumenting/exposition_formats/
RECENT, PATIENCE = 900.0, 1.0  # seconds

GAUGES = {
    "parley_requests_open": "Requests that are not answered yet.",
    "parley_requests_oldest_age_seconds": "Age of the oldest request in each open state.",
    "parley_requests_recent": "Requests of the last fifteen minutes, by what became of them.",
    "parley_deliveries_open": "Deliveries that are not ended yet.",
    "parley_deliveries_oldest_age_seconds": "Age of the oldest delivery that may be sent or is parked.",
    "parley_overdue": "Rows whose time has passed: what recover has to nudge.",
    "parley_overdue_age_seconds": "How long the time of the most overdue row has passed.",
    "parley_dead_letters_open": "Events that were given up and are neither replayed nor closed.",
    "parley_heartbeat_age_seconds": "Since recover, a purge, or who stands in for recover was last heard of.",
    "parley_circuit_open": "Circuits that are open: vendors or receivers that nothing is sent to.",
    "parley_tokens_today": "Tokens of all users since midnight, UTC.",
    "parley_cost_today": "What they cost, in the currency of MODEL_PRICES.",
    "parley_database_size_bytes": "Size of the database.",
    "parley_database_connections": "Connections to the database, used and allowed.",
}


class State:
    """Serves the gauges at PATH. They hold counts and ages, and nothing of anybody."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self, app: Any) -> None:
        """Add the path to a Flask app."""
        app.add_url_rule(PATH, PATH, self.shown, methods=["GET"])

    def shown(self) -> tuple[str, int, dict[str, str]]:
        """Give what Prometheus reads; 503 while the database cannot be reached."""
        try:
            with self._database.autocommit(PATIENCE) as alone:
                rows = alone.rows("what_is_owed", recent=ids.since(time.time() - RECENT))
        except Unavailable:
            return "", 503, {}
        return "".join(_lines(rows)), 200, {"Content-Type": FORMAT}


def _lines(rows: Iterable[dict[str, Any]]) -> Iterable[str]:
    told = ""
    for row in rows:
        name = row["name"]
        if name != told:
            yield f"# HELP {name} {GAUGES[name]}\n# TYPE {name} gauge\n"
            told = name
        labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in sorted(row["labels"].items()))
        yield f"{name}{{{labels}}} {row['value']}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
