"""
deliver-sms: send a short text by Amazon SNS.

Takes parley.response.ready where channel is sms.
Gives parley.response.ready of the next delivery that is due.
"""

import socket
from dataclasses import dataclass
from pathlib import Path

from parliament import Context

try:
    from parley import config, runtime
    from parley.adapters.aws import Amazon
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.deliveries import Deliveries
    from parley.adapters.postgres.suppressions import Suppressions
    from parley.adapters.sns import Sns, linking
    from parley.adapters.template_files import load_templates
    from parley.delivery import Courier
    from parley.domain.events import ResponseReady
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=deliver-sms`") from missing


@dataclass(frozen=True)
class Config:
    database_url: str
    aws_region: str
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    sns_endpoint_url: str | None = None
    link_signing_key: str | None = None
    public_url: str | None = None
    config_dir: Path = Path(__file__).parent / "config"
    delivery_lease_seconds: config.Seconds = 60


def build(cfg: Config) -> Courier:
    database = Database(cfg.database_url, name="deliver-sms", min_schema=18)
    store = Deliveries(database, owner=socket.gethostname(), lease=cfg.delivery_lease_seconds)
    amazon = Amazon(
        "sns",
        cfg.aws_region,
        access_key=cfg.aws_access_key_id,
        secret_key=cfg.aws_secret_access_key,
        endpoint=cfg.sns_endpoint_url,
    )
    templates, link = load_templates(cfg.config_dir, "sms"), linking(cfg.link_signing_key, cfg.public_url)
    return Courier("sms", store, Sns(amazon, templates, Suppressions(database), link), can_ask=False)


function = runtime.event_function("deliver-sms", takes=ResponseReady, config=Config, build=build)


def main(context: Context) -> runtime.Response:
    return function(context)
