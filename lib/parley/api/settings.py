"""The settings of request-api, and the API that they make. It refuses to start when they would let anybody in."""

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated

from parley import config, runtime
from parley.adapters.amazons_door import fetch
from parley.adapters.broker import Publisher
from parley.adapters.files import load_defaults
from parley.adapters.oidc import Provider, Tokens
from parley.adapters.oidc_code import Client, CodeFlow
from parley.adapters.postgres.api import Limits
from parley.adapters.postgres.database import Database
from parley.adapters.postgres.ledger import standby
from parley.adapters.postgres.requests import Requests
from parley.adapters.postgres.suppressions import Suppressions
from parley.adapters.postgres.users import Users
from parley.api import cors
from parley.api.desk import Rules
from parley.api.notifications import Notices
from parley.api.routes import Api, most_waiters
from parley.api.slack_install import InstallSettings, slack_app
from parley.api.strangers import Strangers
from parley.domain.budget import limit_of
from parley.domain.escalation import place
from parley.domain.overdue import Pace
from parley.errors import Misconfigured

MIN_SCHEMA = 18


@dataclass(frozen=True, kw_only=True)
class Settings(InstallSettings):
    """What the environment says; see README."""

    database_url: str
    k_sink: str
    webhook_signing_key: str
    link_signing_key: str | None = None
    ses_topics: tuple[str, ...] = ()
    config_dir: Path
    threads: int = 8
    deadline_seconds: config.Seconds = 900
    nudge_seconds: config.Seconds = 30
    longest_nudge_seconds: config.Seconds = 900
    cors_origins: tuple[str, ...] = ()
    escalate_to: str | None = None
    stream_seconds: config.Seconds = 55  # until a stream ends and its reader comes back
    calls_per_minute: Annotated[int, config.Range(1, 1_000_000)] = 600
    calls_at_once: config.Count = 120
    trusted_proxies: tuple[str, ...] = ()
    budget_tokens_per_day: config.Number = 0
    budget_cost_per_day: str | None = None
    webhook_allow_private: tuple[str, ...] = ()
    oidc_issuer: str | None = None
    oidc_audience: tuple[str, ...] = ()
    oidc_algorithms: tuple[str, ...] = ("RS256", "ES256")
    oidc_jwks_url: str | None = None
    oidc_roles_claim: str = "roles"
    oidc_admin_role: str = "parley-admin"
    oidc_support_role: str = "parley-support"
    oidc_service_role: str = "parley-service"
    oidc_client_id: str | None = None  # who we are to the provider, for people who sign in on the page
    oidc_client_secret: str | None = None


def build(cfg: Settings) -> Api:
    """Make the API. Raises Misconfigured."""
    database = Database(cfg.database_url, name="request-api", max_connections=4, min_schema=MIN_SCHEMA)
    publisher = Publisher(cfg.k_sink, "request-api", timeout=2.0)
    rules = Rules(
        cfg.webhook_signing_key,
        most_waiters=most_waiters(cfg.threads),
        leaving=runtime.leaving.is_set,
        public_url=_url(cfg.public_url),
        link_key=cfg.link_signing_key or "",
        notices=Notices(Suppressions(database), fetch, cfg.ses_topics) if cfg.ses_topics else None,
        slack_app=slack_app(cfg, database),
        origins=cors.checked(cfg.cors_origins),
        people=place(cfg.escalate_to),
        stream_seconds=cfg.stream_seconds,
        budget=limit_of(cfg.budget_tokens_per_day, cfg.budget_cost_per_day),
        allow_private=cfg.webhook_allow_private,
        defaults=cache(partial(load_defaults, cfg.config_dir / "integrations.yaml")),
    )
    provider = provider_of(cfg)
    tokens = Tokens(provider, Users(database)) if provider else None
    rules.sign_in = sign_in_of(cfg, provider, tokens)
    return Api(
        database,
        Requests(database, deadline=cfg.deadline_seconds, nudge=cfg.nudge_seconds),
        publisher,
        rules,
        limits=Limits(database, per_minute=cfg.calls_per_minute, burst=cfg.calls_at_once),
        strangers=Strangers(cfg.trusted_proxies, per_minute=cfg.calls_per_minute, burst=cfg.calls_at_once),
        tokens=tokens,
        standby=standby(database, publisher, Pace(cfg.nudge_seconds, cfg.longest_nudge_seconds)),
    )


def provider_of(cfg: Settings) -> Provider | None:
    """Give the OpenID provider, when one is configured; without one there are API keys only. Raises Misconfigured."""
    if cfg.oidc_issuer is None:
        if cfg.oidc_audience or cfg.oidc_jwks_url:
            raise Misconfigured("OIDC_ISSUER: required with the other OIDC settings")
        return None
    return Provider(
        cfg.oidc_issuer,
        cfg.oidc_audience,
        cfg.oidc_algorithms,
        cfg.oidc_roles_claim,
        {cfg.oidc_admin_role: "admin", cfg.oidc_support_role: "support", cfg.oidc_service_role: "service"},
        cfg.oidc_jwks_url,
    )


def sign_in_of(cfg: Settings, provider: Provider | None, tokens: Tokens | None) -> CodeFlow | None:
    """Give how people sign in at the provider, when we are known there. Raises Misconfigured."""
    if cfg.oidc_client_id is None:
        if cfg.oidc_client_secret:
            raise Misconfigured("OIDC_CLIENT_ID: required with OIDC_CLIENT_SECRET")
        return None
    if provider is None or tokens is None:
        raise Misconfigured("OIDC_ISSUER: required with OIDC_CLIENT_ID")
    if not cfg.public_url:
        raise Misconfigured("PUBLIC_URL: required with OIDC_CLIENT_ID: the provider sends people back to it")
    client = Client(cfg.oidc_client_id, cfg.oidc_client_secret, f"{_url(cfg.public_url)}/sign-in/callback")
    return CodeFlow(provider, client, tokens)


def _url(text: str) -> str:
    if text and not text.startswith(("https://", "http://")):
        raise Misconfigured("PUBLIC_URL: must be like https://parley.example.org")
    return text.rstrip("/")
