"""
slack-ingest: what people say and do in Slack.

Takes Slack's events, commands and interactions at `/`, `/slack/events`, `/slack/commands` and `/slack/interactive`.
Gives parley.message.received, published to K_SINK before Slack gets its 200.
"""

from dataclasses import dataclass
from functools import partial

from parliament import Context

try:
    from parley import config, ingest, runtime
    from parley.adapters.broker import Publisher
    from parley.adapters.slack_surface import Surface
    from parley.adapters.slack_tokens import SlackSettings, apis, opened
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=slack-ingest`") from missing


@dataclass(frozen=True, kw_only=True)
class Config(SlackSettings):
    slack_signing_secret: tuple[str, ...]
    event_key: tuple[str, ...]
    k_sink: str
    database_url: str | None = None  # of many workspaces: whose form is to be opened
    publish_timeout: config.Seconds = 1.5


def build(cfg: Config) -> ingest.Ingest:
    return ingest.Ingest(
        Publisher(cfg.k_sink, "slack-ingest", timeout=cfg.publish_timeout),
        Surface(apis(cfg, partial(opened, cfg.database_url, name="slack-ingest"))),
        secrets=cfg.slack_signing_secret,
        event_key=cfg.event_key[0],
    )


function = runtime.http_function("slack-ingest", config=Config, build=build, paths=ingest.PATHS)


def main(context: Context) -> runtime.Response:
    return function(context)
