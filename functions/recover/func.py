"""
recover: nothing that is owed is forgotten.

Takes dead letters (any event with `knativeerrordest`) and the tick of each minute.
Gives nothing as a reply; publishes parley.request.created and parley.response.ready for rows that are overdue. Once an
hour it purges what is older than the KEEP_… settings say, in days. Slack's tokens are refreshed before they expire.
Shows what is owed to Prometheus at `/metrics`.
"""

from dataclasses import dataclass, fields

from parliament import Context

try:
    from parley import config, runtime
    from parley.adapters.broker import Publisher
    from parley.adapters.postgres.database import Database
    from parley.adapters.postgres.ledger import Ledger
    from parley.adapters.postgres.state import State
    from parley.adapters.slack_tokens import SlackSettings, refreshing
    from parley.domain.overdue import Pace
    from parley.domain.retention import Retention
    from parley.recovery import Recovery
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=recover`") from missing


@dataclass(frozen=True, kw_only=True)
class Config(SlackSettings):
    database_url: str
    k_sink: str
    nudge_seconds: config.Seconds = 30
    longest_nudge_seconds: config.Seconds = 900
    keep_requests_days: config.Days = 90
    keep_sessions_days: config.Days = 7
    keep_idempotency_keys_days: config.Days = 7
    keep_done_letters_days: config.Days = 30
    keep_open_letters_days: config.Days = 90
    keep_api_keys_days: config.Days = 90
    keep_sign_ins_days: config.Days = 1
    keep_audit_log_days: config.Days = 365
    keep_rate_limits_days: config.Days = 7
    keep_paces_days: config.Days = 1


def build(cfg: Config) -> Recovery:
    database = Database(cfg.database_url, name="recover", min_schema=18)
    pace = Pace(first=cfg.nudge_seconds, longest=cfg.longest_nudge_seconds)
    retention = Retention(**{f.name: getattr(cfg, f"keep_{f.name}_days") for f in fields(Retention)})
    refresh = refreshing(cfg, database)
    return Recovery(
        Ledger(database),
        Publisher(cfg.k_sink, "recover"),
        pace=pace,
        retention=retention,
        chores=[refresh] if refresh else [],
        routes=State(database).routes,
    )


function = runtime.event_function("recover", takes=None, config=Config, build=build)


def main(context: Context) -> runtime.Response:
    return function(context)
