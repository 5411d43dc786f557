"""
deliver-email: send an answer by SMTP or Amazon SES, as text and HTML.

Takes parley.response.ready where channel is email.
Gives parley.response.ready of the next delivery that is due.
"""

import socket
from dataclasses import dataclass
from pathlib import Path

from parliament import Context

try:
    from parley import config, runtime
    from parley.adapters.mail_transports import transport
    from parley.adapters.mailing import Mailer
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.deliveries import Deliveries
    from parley.adapters.postgres.mail import Mail
    from parley.adapters.template_files import load_templates
    from parley.delivery import Courier
    from parley.domain.events import ResponseReady
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=deliver-email`") from missing


@dataclass(frozen=True)
class Config:
    database_url: str
    mail_from: str
    smtp_url: str | None = None
    ses_region: str | None = None
    ses_events: str | None = None  # the configuration set that tells us of bounces
    ses_endpoint_url: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    config_dir: Path = Path(__file__).parent / "config"
    delivery_lease_seconds: config.Seconds = 60


def build(cfg: Config) -> Courier:
    database = Database(cfg.database_url, name="deliver-email", min_schema=18)
    store = Deliveries(database, owner=socket.gethostname(), lease=cfg.delivery_lease_seconds)
    mail, templates = Mail(database), load_templates(cfg.config_dir, "email")
    way = transport(
        cfg.smtp_url,
        cfg.ses_region,
        cfg.ses_events,
        access_key=cfg.aws_access_key_id,
        secret_key=cfg.aws_secret_access_key,
        endpoint=cfg.ses_endpoint_url,
    )
    mailer = Mailer(way, cfg.mail_from, templates, mail, mail.suppressions.refused)
    return Courier("email", store, mailer, can_ask=False)


function = runtime.event_function("deliver-email", takes=ResponseReady, config=Config, build=build)


def main(context: Context) -> runtime.Response:
    return function(context)
