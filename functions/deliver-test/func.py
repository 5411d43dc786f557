"""
deliver-test: send nothing, and keep what would have been sent.

Takes parley.response.ready where channel is test.
Gives parley.response.ready of the next delivery that is due.
"""

import socket
from dataclasses import dataclass

from parliament import Context

try:
    from parley import config, runtime
    from parley.adapters.nowhere import Nowhere
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.deliveries import Deliveries
    from parley.delivery import Courier
    from parley.domain.events import ResponseReady
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=deliver-test`") from missing


@dataclass(frozen=True)
class Config:
    database_url: str
    delivery_lease_seconds: config.Seconds = 60


def build(cfg: Config) -> Courier:
    database = Database(cfg.database_url, name="deliver-test", min_schema=18)
    store = Deliveries(database, owner=socket.gethostname(), lease=cfg.delivery_lease_seconds)
    return Courier("test", store, Nowhere(), can_ask=True)


function = runtime.event_function("deliver-test", takes=ResponseReady, config=Config, build=build)


def main(context: Context) -> runtime.Response:
    return function(context)
