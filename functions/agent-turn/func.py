"""
agent-turn: one turn of one session.

Takes parley.request.created.
Gives parley.response.ready of the first delivery that is due; publishes the other nudges that follow to K_SINK.
"""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from parliament import Context

try:
    from parley import config, runtime
    from parley.adapters.agency import Agency, Settings
    from parley.adapters.broker import Publisher
    from parley.adapters.files import load_defaults
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.ledger import standby
    from parley.adapters.postgres.requests import Requests
    from parley.adapters.postgres.users import Users
    from parley.agents.load import load_all
    from parley.domain.events import RequestCreated
    from parley.domain.overdue import Pace
    from parley.turns import Planner, Turns
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=agent-turn`") from missing


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    database_url: str
    k_sink: str
    config_dir: Path = Path(__file__).parent / "config"
    turn_lease_seconds: config.Seconds = 60
    turn_attempts: config.Count = 6
    approval_seconds: config.Seconds = 3600
    nudge_seconds: config.Seconds = 30
    longest_nudge_seconds: config.Seconds = 900


def build(cfg: Config) -> Turns:
    database = Database(cfg.database_url, name="agent-turn", min_schema=18)
    publisher, configured = Publisher(cfg.k_sink, "agent-turn"), load_all(cfg.config_dir)
    agency = Agency(cfg, configured, database)
    return Turns(
        Requests(database, lease=cfg.turn_lease_seconds, max_attempts=cfg.turn_attempts),
        configured.agents,
        agency.engine(),
        Planner(load_defaults(cfg.config_dir / "integrations.yaml"), Users(database).plan_inputs),
        publisher,
        owner=f"{socket.gethostname()}:{os.getpid()}",
        revision=configured.revision,
        standby=standby(database, publisher, Pace(cfg.nudge_seconds, cfg.longest_nudge_seconds)),
        beat=cfg.turn_lease_seconds / 3,
        patience=cfg.approval_seconds,
        signs=True,
        leaving=runtime.leaving.is_set,
        **agency.options(),
    )


function = runtime.event_function("agent-turn", takes=RequestCreated, config=Config, build=build)


def main(context: Context) -> runtime.Response:
    return function(context)
