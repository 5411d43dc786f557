"""
deliver-slack: post an answer where it was asked, or to the person.

Takes parley.response.ready where channel is slack.
Gives parley.response.ready of the next delivery that is due.
"""

import socket
from dataclasses import dataclass

from parliament import Context

try:
    from parley import config, runtime
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.deliveries import Deliveries
    from parley.adapters.postgres.slack_messages import Paces, SlackMessages
    from parley.adapters.slack_delivery import SlackChannel
    from parley.adapters.slack_tokens import SlackSettings, apis
    from parley.adapters.slack_workspaces import SlackWorkspaces
    from parley.delivery import Courier
    from parley.domain.events import ResponseReady
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=deliver-slack`") from missing


@dataclass(frozen=True, kw_only=True)
class Config(SlackSettings):
    database_url: str
    slack_pace_seconds: config.Seconds = 1
    delivery_lease_seconds: config.Seconds = 60


def build(cfg: Config) -> Courier:
    database = Database(cfg.database_url, name="deliver-slack", min_schema=4)
    store = Deliveries(database, owner=socket.gethostname(), lease=cfg.delivery_lease_seconds)
    messages, paces = SlackMessages(database), Paces(database, cfg.slack_pace_seconds)
    channel = SlackWorkspaces(apis(cfg, lambda: database), lambda api: SlackChannel(api, messages, paces))
    return Courier("slack", store, channel, can_ask=True)


function = runtime.event_function("deliver-slack", takes=ResponseReady, config=Config, build=build)


def main(context: Context) -> runtime.Response:
    return function(context)
