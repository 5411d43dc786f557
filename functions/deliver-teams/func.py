"""
deliver-teams: post an answer to a channel of Microsoft Teams.

Takes parley.response.ready where channel is teams.
Gives parley.response.ready of the next delivery that is due.
"""

import socket
from dataclasses import dataclass

from parliament import Context

try:
    from parley import config, runtime
    from parley.adapters.pinned import Pinned
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.deliveries import Deliveries
    from parley.adapters.posts import Posts
    from parley.channels import teams
    from parley.delivery import Courier
    from parley.domain.events import ResponseReady
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=deliver-teams`") from missing


@dataclass(frozen=True)
class Config:
    database_url: str
    webhook_allow_private: tuple[str, ...] = ()
    delivery_lease_seconds: config.Seconds = 60


def build(cfg: Config) -> Courier:
    database = Database(cfg.database_url, name="deliver-teams", min_schema=18)
    store = Deliveries(database, owner=socket.gethostname(), lease=cfg.delivery_lease_seconds)
    channel = Posts(teams, Pinned(allow=cfg.webhook_allow_private), told_apart=False)
    return Courier("teams", store, channel, can_ask=False)


function = runtime.event_function("deliver-teams", takes=ResponseReady, config=Config, build=build)


def main(context: Context) -> runtime.Response:
    return function(context)
