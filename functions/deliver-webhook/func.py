"""
deliver-webhook: post an answer, signed, to the URL that its user registered.

Takes parley.response.ready where channel is webhook.
Gives parley.response.ready of the next delivery that is due.
"""

import socket
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from parliament import Context

try:
    from parley import config, runtime
    from parley.adapters.files import load_defaults
    from parley.adapters.http import Webhooks
    from parley.adapters.pinned import Pinned
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.deliveries import Deliveries
    from parley.adapters.postgres.endpoints import Endpoints, Notices
    from parley.channels import consent, signing
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
    public_url: str = ""
    config_dir: Path = Path(__file__).parent / "config"
    delivery_lease_seconds: config.Seconds = 60


def build(cfg: Config) -> Courier:
    database = Database(cfg.database_url, name="deliver-webhook", min_schema=18)
    notices = Notices(cache(partial(load_defaults, cfg.config_dir / "integrations.yaml")))
    store = Deliveries(database, owner=socket.gethostname(), lease=cfg.delivery_lease_seconds, tell=notices)
    keys, to = signing.keys(cfg.webhook_signing_key), Pinned(allow=cfg.webhook_allow_private)
    channel = Webhooks(keys, to, Endpoints(database), origin=consent.named(cfg.public_url))
    return Courier("webhook", store, channel, can_ask=True)


function = runtime.event_function("deliver-webhook", takes=ResponseReady, config=Config, build=build)


def main(context: Context) -> runtime.Response:
    return function(context)
