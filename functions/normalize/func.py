"""
normalize: whose message is it, in which session, was it seen before? What is no question is applied at once.

Takes parley.message.received, signed by slack-ingest.
Gives parley.request.created.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from parliament import Context

try:
    from parley import config, runtime
    from parley.adapters.files import load_prompts
    from parley.adapters.postgres.actions import Actions
    from parley.adapters.postgres.chat import Chat
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.escalations import Escalations
    from parley.adapters.postgres.requests import Requests
    from parley.adapters.postgres.users import Users
    from parley.adapters.slack import Slack
    from parley.adapters.slack_surface import Surface
    from parley.adapters.slack_tokens import SlackSettings, apis, forgetting
    from parley.deeds import Deeds
    from parley.domain.escalation import place
    from parley.domain.events import MessageReceived
    from parley.intake import Intake
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=normalize`") from missing


@dataclass(frozen=True, kw_only=True)
class Config(SlackSettings):
    database_url: str
    event_key: tuple[str, ...]
    escalate_to: str | None = None
    slack_hooks: str = "hooks.slack.com"
    config_dir: Path = Path(__file__).parent / "config"
    allow_unsigned_events: bool = False
    deadline_seconds: config.Seconds = 900
    nudge_seconds: config.Seconds = 30
    session_idle_seconds: config.Seconds = 1800
    coalesce_messages: bool = False


def build(cfg: Config) -> Intake:
    database = Database(cfg.database_url, name="normalize", min_schema=16)
    requests = Requests(database, deadline=cfg.deadline_seconds, nudge=cfg.nudge_seconds, idle=cfg.session_idle_seconds)
    api_of = apis(cfg, lambda: database)
    surface = Surface(api_of, hooks=cfg.slack_hooks)
    prompts = partial(load_prompts, cfg.config_dir / "slack.yaml")
    people = Escalations(database, place(cfg.escalate_to))
    return Intake(
        Users(database),
        requests,
        Slack(api_of),
        keys=None if cfg.allow_unsigned_events else cfg.event_key,
        deeds=Deeds(Chat(database), requests, Actions(database), people, surface, prompts=prompts),
        forget=forgetting(cfg, database),
        coalesce=cfg.coalesce_messages,
    )


# A bug must not block a conversation for hours: its Trigger is ordered and patient.
function = runtime.event_function("normalize", takes=MessageReceived, config=Config, build=build, on_bug=422)


def main(context: Context) -> runtime.Response:
    return function(context)
