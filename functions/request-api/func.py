"""
request-api: what programs ask, over HTTP.

Takes HTTP requests at `/api/v1/…`, `/r/…` and `/openapi.json`.
Gives parley.request.created, published to K_SINK after the request is stored.
"""

from dataclasses import dataclass
from pathlib import Path

from parliament import Context

try:
    from parley import runtime
    from parley.api import settings
    from parley.api.routes import Api
except ModuleNotFoundError as missing:
    if missing.name != "parley":
        raise
    raise SystemExit("parley is not beside this file: deploy it with `make deploy FN=request-api`") from missing


@dataclass(frozen=True, kw_only=True)
class Config(settings.Settings):
    config_dir: Path = Path(__file__).parent / "config"


def build(cfg: Config) -> Api:
    return settings.build(cfg)


function = runtime.http_function("request-api", config=Config, build=build)


def main(context: Context) -> runtime.Response:
    return function(context)
