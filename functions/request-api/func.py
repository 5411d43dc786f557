"""
request-api: what programs ask, over HTTP.

Takes HTTP requests at `/api/v1/…`, `/r/…` and `/openapi.json`.
Gives parley.request.created, published to K_SINK after the request is stored.
"""

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated

from parliament import Context

try:
    from parley import config, runtime
    from parley.adapters.broker import Publisher
    from parley.adapters.files import load_defaults
    from parley.adapters.postgres.api import Limits
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.ledger import standby
    from parley.adapters.postgres.requests import Requests
    from parley.api.desk import Rules
    from parley.api.routes import Api, most_waiters
    from parley.api.slack_install import InstallSettings, slack_app
    from parley.domain.overdue import Pace
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=request-api`") from missing


@dataclass(frozen=True, kw_only=True)
class Config(InstallSettings):
    database_url: str
    k_sink: str
    webhook_signing_key: str
    config_dir: Path = Path(__file__).parent / "config"
    threads: int = 8
    deadline_seconds: config.Seconds = 900
    nudge_seconds: config.Seconds = 30
    longest_nudge_seconds: config.Seconds = 900
    cors_origins: tuple[str, ...] = ()
    calls_per_minute: Annotated[int, config.Range(1, 1_000_000)] = 600
    calls_at_once: config.Count = 120


def build(cfg: Config) -> Api:
    database = Database(cfg.database_url, name="request-api", max_connections=4, min_schema=5)
    publisher = Publisher(cfg.k_sink, "request-api", timeout=2.0)
    rules = Rules(
        cfg.webhook_signing_key,
        most_waiters=most_waiters(cfg.threads),
        leaving=runtime.leaving.is_set,
        public_url=cfg.public_url.rstrip("/"),
        slack_app=slack_app(cfg, database),
        origins=cfg.cors_origins,
        defaults=cache(partial(load_defaults, cfg.config_dir / "integrations.yaml")),
    )
    return Api(
        database,
        Requests(database, deadline=cfg.deadline_seconds, nudge=cfg.nudge_seconds),
        publisher,
        rules,
        limits=Limits(database, per_minute=cfg.calls_per_minute, burst=cfg.calls_at_once),
        standby=standby(database, publisher, Pace(cfg.nudge_seconds, cfg.longest_nudge_seconds)),
    )


function = runtime.http_function("request-api", config=Config, build=build)


def main(context: Context) -> runtime.Response:
    return function(context)
