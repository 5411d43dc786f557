"""
slack-ingest: what people say in Slack.

Takes Slack's Events API at `/` and `/slack/events`.
Gives parley.message.received, published to K_SINK before Slack gets its 200.
"""

from dataclasses import dataclass

from parliament import Context

try:
    from parley import config, ingest, runtime
    from parley.adapters.broker import Publisher
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=slack-ingest`") from missing


@dataclass(frozen=True)
class Config:
    slack_signing_secret: tuple[str, ...]
    event_key: tuple[str, ...]
    k_sink: str
    publish_timeout: config.Seconds = 2.0


def build(cfg: Config) -> ingest.Ingest:
    return ingest.Ingest(
        Publisher(cfg.k_sink, "slack-ingest", timeout=cfg.publish_timeout),
        secrets=cfg.slack_signing_secret,
        event_key=cfg.event_key[0],
    )


function = runtime.http_function("slack-ingest", config=Config, build=build, paths=("/slack/events",))


def main(context: Context) -> runtime.Response:
    return function(context)
