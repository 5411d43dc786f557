"""
deliver-webhook: post an answer, signed, to the URL that its user registered.

Takes parley.response.ready where channel is webhook.
Gives parley.response.ready of the next delivery that is due.
"""

import socket
from dataclasses import dataclass

from parliament import Context

try:
    from parley import config, runtime
    from parley.adapters.http import Webhooks
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.deliveries import Deliveries
    from parley.delivery import Courier
    from parley.domain.events import ResponseReady
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=deliver-webhook`") from missing


@dataclass(frozen=True)
class Config:
    database_url: str
    webhook_signing_key: str
    webhook_allow_private: tuple[str, ...] = ()
    delivery_lease_seconds: config.Seconds = 60


def build(cfg: Config) -> Courier:
    database = Database(cfg.database_url, name="deliver-webhook", min_schema=4)
    store = Deliveries(database, owner=socket.gethostname(), lease=cfg.delivery_lease_seconds)
    channel = Webhooks(cfg.webhook_signing_key, allow=cfg.webhook_allow_private)
    return Courier("webhook", store, channel, can_ask=True)


function = runtime.event_function("deliver-webhook", takes=ResponseReady, config=Config, build=build)


def main(context: Context) -> runtime.Response:
    return function(context)
