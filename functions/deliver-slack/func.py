"""
deliver-slack: post an answer where it was asked, or to the person; until it is there, show it as it is written.

Takes parley.response.ready and parley.turn.started where channel is slack.
Gives parley.response.ready of the next delivery that is due.
"""

import socket
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from parliament import Context

try:
    from parley import config, runtime
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.deliveries import Deliveries
    from parley.adapters.postgres.slack_messages import Paces, SlackMessages, StreamRows
    from parley.adapters.slack_delivery import SlackChannel
    from parley.adapters.slack_screen import SlackScreen
    from parley.adapters.slack_tokens import SlackSettings, apis
    from parley.adapters.slack_workspaces import SlackWorkspaces
    from parley.adapters.template_files import load_templates
    from parley.channels import slack
    from parley.delivery import Courier
    from parley.domain.events import ResponseReady, TurnStarted
    from parley.streams import Both, Streams
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=deliver-slack`") from missing


@dataclass(frozen=True, kw_only=True)
class Config(SlackSettings):
    database_url: str
    config_dir: Path = Path(__file__).parent / "config"
    slack_pace_seconds: config.Seconds = 1
    slack_streams: config.Count = 8  # followed at once by one instance, of the 12 events that it takes
    delivery_lease_seconds: config.Seconds = 60


def build(cfg: Config) -> Both:
    database = Database(cfg.database_url, name="deliver-slack", min_schema=18)
    store = Deliveries(database, owner=socket.gethostname(), lease=cfg.delivery_lease_seconds)
    footer = partial(slack.footer, load_templates(cfg.config_dir, "slack"))
    messages, paces = SlackMessages(database), Paces(database, cfg.slack_pace_seconds)
    opened = apis(cfg, lambda: database)
    channel = SlackWorkspaces(opened, lambda api: SlackChannel(api, messages, paces, footer=footer))
    rows, leaving = StreamRows(database), runtime.leaving.is_set
    streams = Streams(rows, SlackScreen(opened), most=cfg.slack_streams, leaving=leaving)
    return Both(Courier("slack", store, channel, can_ask=True), streams)


function = runtime.event_function("deliver-slack", takes=(ResponseReady, TurnStarted), config=Config, build=build)


def main(context: Context) -> runtime.Response:
    return function(context)
