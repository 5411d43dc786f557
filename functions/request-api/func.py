"""
request-api: what programs ask, over HTTP.

Takes HTTP requests at `/api/v1/…`.
Gives parley.request.created, published to K_SINK after the request is stored.
"""

from dataclasses import dataclass

from parliament import Context

try:
    from parley import config, runtime
    from parley.adapters.broker import Publisher
    from parley.adapters.postgres.api import Keys, Views
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.ledger import standby
    from parley.adapters.postgres.requests import Requests
    from parley.adapters.postgres.users import Users
    from parley.api.routes import Api, most_waiters
    from parley.domain.overdue import Pace
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=request-api`") from missing


@dataclass(frozen=True)
class Config:
    database_url: str
    k_sink: str
    webhook_signing_key: str
    threads: int = 8
    deadline_seconds: config.Seconds = 900
    nudge_seconds: config.Seconds = 30
    longest_nudge_seconds: config.Seconds = 900


def build(cfg: Config) -> Api:
    database = Database(cfg.database_url, name="request-api", max_connections=4, min_schema=4)
    publisher = Publisher(cfg.k_sink, "request-api", timeout=2.0)
    return Api(
        Requests(database, deadline=cfg.deadline_seconds, nudge=cfg.nudge_seconds),
        Views(database),
        Keys(database),
        Users(database),
        publisher,
        signing_key=cfg.webhook_signing_key,
        most_waiters=most_waiters(cfg.threads),
        leaving=runtime.leaving.is_set,
        standby=standby(database, publisher, Pace(cfg.nudge_seconds, cfg.longest_nudge_seconds)),
    )


function = runtime.http_function("request-api", config=Config, build=build)


def main(context: Context) -> runtime.Response:
    return function(context)
