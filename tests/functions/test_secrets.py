"""
Every secret that a function is given has a canary in it; then all goes wrong, and nothing shows one.

The vendors are one server that refuses in every way and says again, in its answer, all that it was told: tokens,
passwords, keys. What is searched: logs at DEBUG, answers with their headers, events, and every table.
"""

import base64
import io
import json
import logging
import re
import sys
import uuid
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import yaml
from databases import run
from processes import FUNCTIONS, ROOT

from devkit.mailbox import Mailbox
from devkit.serving import LocalServer, Reply
from parley import envelope, logs, serve, tokens
from parley.adapters.postgres.api import Keys
from parley.domain.plan import Rank
from standalone import host

REFERENCE = re.compile(r"\{\{ secret:([-a-z0-9]+):([-a-z0-9]+) \}\}")
NAMES = sorted(path.parent.name for path in FUNCTIONS.glob("*/func.yaml"))
TOKEN_KEY = base64.urlsafe_b64encode(b"canary-of-the-token-key-32-bytes").decode()
SIGNING = base64.b64encode(b"canary-of-tools-for-a-signature!").decode().rstrip("=").replace("+", "-").replace("/", "_")
# A value for each, and what of it must not be seen.
SECRETS = {
    "AWS_ACCESS_KEY_ID": "CANARYAWSACCESSKEYID",
    "AWS_SECRET_ACCESS_KEY": "canary-aws-secret",
    "EVENT_KEY": "canary-event-key",
    "LINK_SIGNING_KEY": "canary-link-key",
    "LLAMA_STACK_API_KEY": "canary-llama-stack",
    "OIDC_CLIENT_SECRET": "canary-oidc-client",
    "SLACK_BOT_TOKEN": "xoxb-canary-bot",
    "SLACK_CLIENT_SECRET": "canary-slack-client",
    "SLACK_SIGNING_SECRET": "canary-slack-signing",
    "SLACK_TOKEN_KEY": TOKEN_KEY,
    "TOOL_SIGNING_KEY": SIGNING,
    "WEBHOOK_SIGNING_KEY": "canary-webhook-key",
}
PASSWORDS = {"DATABASE_URL": "canary-database-password", "SMTP_URL": "canary-smtp-password"}
PUBLIC = {"TOOL_PUBLIC_KEY"}


def forms(secret):
    """A secret as it is, in base64 and in hexadecimal."""
    raw = secret.encode()
    return {secret, base64.b64encode(raw).decode().rstrip("="), raw.hex()}


SEARCHED = {form for secret in (*SECRETS.values(), *PASSWORDS.values()) for form in forms(secret)}


@pytest.fixture
def vendor():
    """Whoever is called: refuses in turn by every status, with all that it was told in its answer."""
    statuses = [400, 401, 403, 404, 429, 500, 503]

    def answer(request):
        vendor.asked.append(request)
        vendor.turn += 1
        told = {
            "error": f"invalid_auth {dict(request.headers)}",
            "message": request.body.decode("latin-1"),
            "ok": False,
        }
        status = vendor.status or statuses[vendor.turn % len(statuses)]
        return Reply(status, json.dumps(told).encode(), {"Content-Type": "application/json", "X-Told": str(told)[:500]})

    vendor = LocalServer(answer)
    vendor.asked, vendor.turn, vendor.status = [], 0, 0
    with vendor:
        yield vendor


@pytest.fixture
def logged(monkeypatch):
    """All that a process of ours writes at DEBUG."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stderr", stream)
    logs.start("DEBUG")
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def mailbox():
    """A mail server that takes no password."""
    with Mailbox(users={"ann": "another"}) as box:
        yield box


@pytest.fixture
def settings(database_url, vendor, mailbox):
    """What every function is given. The local database asks for no password, and so takes any."""
    parts = urlsplit(database_url)
    user, _, place = parts.netloc.rpartition("@")
    database = parts._replace(netloc=f"{user or 'parley'}:{PASSWORDS['DATABASE_URL']}@{place}").geturl()
    mail = f"smtp://ann:{PASSWORDS['SMTP_URL']}@{mailbox.host}:{mailbox.port}?tls=none"
    return {
        **SECRETS, "DATABASE_URL": database, "SMTP_URL": mail,
        "TOOL_PUBLIC_KEY": tokens.public_of(SIGNING), "K_SINK": vendor.url, "SLACK_API_URL": f"{vendor.url}/api/",
        "LLAMA_STACK_URL": vendor.url, "LLAMA_STACK_MODEL": "m", "SNS_ENDPOINT_URL": vendor.url,
        "SES_ENDPOINT_URL": vendor.url, "AWS_REGION": "eu-west-1",
        "MAIL_FROM": "parley@example.org", "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8", "PUBLIC_URL": "https://parley.example",
        "CONFIG_DIR": str(ROOT / "config"), "MCP_URLS": f"service-desk={vendor.url}/mcp", "OIDC_ISSUER": vendor.url,
        "OIDC_AUDIENCE": "parley", "OIDC_CLIENT_ID": "parley", "SLACK_CLIENT_ID": "1.2", "SLACK_WORKSPACES": "T1",
    }  # fmt: skip


def referred():
    """The settings that some func.yaml takes from a Secret."""
    specs = (yaml.safe_load((FUNCTIONS / name / "func.yaml").read_text(encoding="utf-8")) for name in NAMES)
    return {env["name"] for spec in specs for env in spec["run"]["envs"] if REFERENCE.fullmatch(env["value"])}


def test_every_secret_has_a_canary():
    """A new one gets one here."""
    assert referred() - PUBLIC == {*SECRETS, *PASSWORDS}


def test_no_secret_is_seen_whatever_goes_wrong(settings, vendor, logged, database, database_url, answered, rank):
    """Events of every kind, doors that are knocked at wrongly, vendors that refuse, a bug in the middle."""
    shown, apps, running = [], {}, []
    for name in NAMES:
        function = host.load(ROOT, name, settings)
        running.append(function)
        apps[name] = serve.application(function).test_client()
    key = Keys(database).create(email="root@example.org", role="admin", name="canary")
    integration = str(uuid.uuid4())
    places = {
        "slack": {"workspace": "T1", "conversation": "C1", "thread": "1.1"}, "email": {"to": "ann@example.org"},
        "sms": {"to": "+491234567"}, "webhook": {"url": vendor.url, "integration": integration},
        "teams": {"url": vendor.url, "integration": integration}, "test": {"to": "x"},
    }  # fmt: skip
    for number, (channel, address) in enumerate(places.items()):
        for status in (0, 401, 500):
            vendor.status = status
            [due] = answered(Rank(channel, 1, address, f"{number}:{status}", timedelta(minutes=30)))
            event = due.emit("test", None).contract
            shown.append(post(apps[f"deliver-{channel}"], event.TYPE, event.model_dump_json().encode()))
    vendor.status = 0
    asked = apps["request-api"].post(
        "/api/v1/requests",
        json={"content": "Why?"},
        headers={"Authorization": f"Bearer {key}", "Prefer": "respond-async"},
    )
    shown += [asked, *doors(apps, key)]
    request = json.dumps({"request_id": asked.json["request_id"], "session_id": asked.json["session_id"]}).encode()
    said = envelope.Event(
        "1", "/x", "parley.message.received", body=envelope.dumps({
            "kind": "message", "origin": "slack", "key": "slack:T1:C1:9.9", "workspace": "T1", "sender": "U1",
            "conversation": "C1", "thread": "9.9", "is_reply": False, "is_direct": True, "is_mention": True,
            "text": "Why?",
        }),
    )  # fmt: skip
    for app in apps.values():
        for kind, data in (
            ("parley.request.created", request), ("parley.request.created", b"{}"),
            ("parley.response.ready", b"not json"),
            (said.type, said.body), ("parley.recovery.requested", b"{}"), ("unheard.of", b"{}"),
        ):  # fmt: skip
            shown.append(post(app, kind, data))
        shown.append(app.post("/", data=b"\xff", headers={"Content-Type": "application/json"}))
    headers, body = envelope.to_binary(envelope.signed(said, SECRETS["EVENT_KEY"]))
    shown.append(apps["normalize"].post("/", data=body, headers=headers))
    letter = {"ce-knativeerrordest": vendor.url, "ce-knativeerrorcode": "500"}
    shown.append(post(apps["recover"], "parley.request.created", request, **letter))
    for name, function in zip(NAMES, running, strict=True):
        function._handler = Broken(settings)
        shown.append(post(apps[name], "parley.request.created", request))
    for function in running:
        function.close()

    text = "\n".join(f"{one.status} {one.headers} {one.get_data(as_text=True)}" for one in shown)
    tables = "\n".join(
        f"{table}: {row}"
        for (table,) in run(database_url, "select tablename from pg_tables where schemaname = 'public'")
        for (row,) in run(database_url, f'select t::text from "{table}" t')
    )
    published = "\n".join(f"{dict(one.headers)} {one.body!r}" for one in vendor.asked if "ce-id" in one.headers)
    asked_for = {one.headers.get("authorization", "")[:7] for one in vendor.asked}
    assert len(shown) > 100
    assert asked_for >= {"", "Bearer "}, "vendors were told secrets"
    assert "invalid_auth" in tables or "unavailable" in logged.getvalue()
    for where, what in {"logs": logged.getvalue(), "answers": text, "events": published, "tables": tables}.items():
        assert {one for one in SEARCHED if one in what} == set(), where


class Broken:
    """A handler with a bug, whose exception tells all the secrets."""

    def __init__(self, settings):
        self._settings = settings

    def __call__(self, *_):
        raise RuntimeError(f"cannot work with {self._settings}")

    guard = ready = __call__


def post(app, kind, body, **headers):
    """An event, as a broker sends it."""
    own = {"ce-specversion": "1.0", "ce-id": uuid.uuid4().hex, "ce-source": "/x", "ce-type": kind}
    return app.post("/", data=body, headers={**own, "Content-Type": "application/json", **headers})


def doors(apps, key):
    """Knock at the public ones: unsigned, signed wrongly, with no key, with one that is none, and as an admin."""
    slack, api, who = apps["slack-ingest"], apps["request-api"], {"Authorization": f"Bearer {key}"}
    signed = {"X-Slack-Signature": "v0=00", "X-Slack-Request-Timestamp": "1"}
    yield slack.post("/slack/events", data=b"{}", headers=signed)
    yield slack.post("/slack/commands", data=b"payload={}")
    yield api.get("/api/v1/me")
    yield api.get("/api/v1/me", headers={"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."})
    yield api.get("/slack/oauth_redirect?code=x&state=y")
    yield api.get("/sign-in/start")
    yield api.get("/sign-in/callback?code=x&state=y")
    yield api.post("/notifications/ses", data=b"{}")
    yield api.get("/r/none")
    paths = ("admin/metrics", "admin/audit-log", "admin/dead-letters", "admin/stuck", "keys", "me", "users/me/export")
    for path in paths:
        yield api.get(f"/api/v1/{path}", headers=who)
