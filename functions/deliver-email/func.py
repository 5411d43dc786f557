"""
deliver-email: send an answer by SMTP, as text and HTML.

Takes parley.response.ready where channel is email.
Gives parley.response.ready of the next delivery that is due.
"""

import socket
from dataclasses import dataclass

from parliament import Context

try:
    from parley import config, runtime
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.deliveries import Deliveries
    from parley.adapters.smtp import Mailer
    from parley.delivery import Courier
    from parley.domain.events import ResponseReady
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=deliver-email`") from missing


@dataclass(frozen=True)
class Config:
    database_url: str
    smtp_url: str
    mail_from: str
    delivery_lease_seconds: config.Seconds = 60


def build(cfg: Config) -> Courier:
    database = Database(cfg.database_url, name="deliver-email", min_schema=11)
    store = Deliveries(database, owner=socket.gethostname(), lease=cfg.delivery_lease_seconds)
    return Courier("email", store, Mailer.of(cfg.smtp_url, cfg.mail_from), can_ask=False)


function = runtime.event_function("deliver-email", takes=ResponseReady, config=Config, build=build)


def main(context: Context) -> runtime.Response:
    return function(context)
