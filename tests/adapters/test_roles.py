"""Each function's role on a real PostgreSQL: all that the function does is allowed, and nothing else is."""

import re
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml
from processes import FUNCTIONS, python
from wiring.conftest import FUNCTIONS as NAMES

from devkit.release import planned, used
from parley.adapters.postgres import grants, roles
from parley.adapters.postgres.database import queries

# What the stores of a function can do for others, and it never asks of them. All the rest its role must be allowed.
_SENDS_ELSEWHERE = "disable_endpoint insert_delivery insert_undeliverable pace_endpoint"
_ASKS = "accept_apart insert_request insert_session key_answers take_key"
NEVER = {
    "agent-turn": f"{_ASKS}"
    " remove_installation claim_dead_letter close_circuit close_dead_letters dead_letter"
    " dead_letter_replayed delete_empty_sessions delete_requests disable_endpoint end_attempt"
    " insert_dead_letter insert_identity insert_user keep_circuit key_owner list_dead_letters lock_circuit"
    " open_dead_letters pace_endpoint purge_api_keys purge_audit_log purge_done_letters"
    " purge_idempotency_keys purge_open_letters purge_paces purge_rate_limits purge_sessions"
    " purge_sign_ins set_identity_role set_quiet_hours take_delivery try_circuit",
    "deliver-email": f"{_SENDS_ELSEWHERE} lift_suppression",
    "deliver-slack": f"{_SENDS_ELSEWHERE} {_ASKS} complete_request end_request escalate expire_request fix_set history"
    " intend_step journal_step journaled key_owner lock_user next_place open_action plan_inputs release_turn"
    " remove_installation renew_turn reserve settle_action spent standing take_turn",
    "deliver-sms": f"{_SENDS_ELSEWHERE} lift_suppression",
    "deliver-teams": "",
    "deliver-test": _SENDS_ELSEWHERE,
    "deliver-webhook": "redeliver",
    "mcp-service-desk": "desk_put_employee desk_put_laptop",
    "normalize": "journal_step set_identity_role spent",
    "recover": f"{_ASKS} close_circuit disable_endpoint end_attempt journal_step keep_circuit lock_circuit lock_user"
    " pace_endpoint remove_installation spent take_delivery try_circuit",
    "request-api": "delete_requests insert_dead_letter journal_step purge_audit_log purge_paces take_delivery",
    "slack-ingest": "remove_installation",
}
# What nobody may see or change through a function that has nothing to do with it, by statements that are tried.
FORBIDDEN = {
    "select content from messages": "slack-ingest deliver-slack deliver-email deliver-sms deliver-webhook deliver-teams"
    " deliver-test mcp-service-desk",
    "select context from requests": "slack-ingest deliver-email deliver-sms deliver-webhook deliver-teams deliver-test",
    "select bot_token from slack_installations": "deliver-email deliver-sms deliver-webhook deliver-teams"
    " deliver-test mcp-service-desk",
    "select digest from api_keys": "slack-ingest normalize agent-turn deliver-slack deliver-email deliver-sms"
    " deliver-webhook deliver-teams deliver-test recover mcp-service-desk",
    "insert into api_keys default values": "slack-ingest normalize agent-turn deliver-slack deliver-email deliver-sms"
    " deliver-webhook deliver-teams deliver-test recover mcp-service-desk",
    "select email from users": "slack-ingest deliver-slack deliver-email deliver-sms deliver-test mcp-service-desk",
    "select detail from audit_log": "slack-ingest normalize agent-turn deliver-slack deliver-email deliver-sms"
    " deliver-webhook deliver-teams deliver-test recover mcp-service-desk",
    "update knowledge_chunks set content = ''": " ".join(grants.GRANTS),
    "update audit_log set detail = '{}'": " ".join(grants.GRANTS),
    "delete from audit_log": " ".join(grants.GRANTS.keys() - {"recover"}),
    "insert into schema_migrations values (99, 'x', 'x')": " ".join(grants.GRANTS),
    "drop table messages": " ".join(grants.GRANTS),
    "create table mine (x int)": " ".join(grants.GRANTS),
    "alter table requests disable row level security": " ".join(grants.GRANTS),
    "set role parley_api": " ".join(grants.GRANTS.keys() - {"request-api"}),
    "set role parley_recover": " ".join(grants.GRANTS.keys() - {"recover"}),
    "select * from desk_tickets": " ".join(grants.GRANTS.keys() - {"mcp-service-desk", "request-api"}),
}

functions = pytest.mark.parametrize("name", sorted(grants.GRANTS))


@pytest.fixture(scope="module")
def owner(shared_database_url):
    with psycopg.connect(shared_database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def become(shared_database_url):
    """Give a connection that has signed in as anybody, and is now the role of a function."""
    opened = {}

    def as_(name):
        if name not in opened:
            opened[name] = psycopg.connect(shared_database_url, autocommit=True)
            opened[name].execute(f"set session authorization {roles.role(name)}")
        return opened[name]

    yield as_
    for connection in opened.values():
        connection.close()


def test_every_function_with_a_database_has_a_role():
    """And nobody else."""
    with_one = {name for name in NAMES if "database_url" in (FUNCTIONS / name / "func.py").read_text(encoding="utf-8")}

    assert grants.GRANTS.keys() == {*with_one, "request-api"}


def test_what_is_declared_is_what_is_granted(owner):
    """To the column, and nothing by another way: everybody has nothing, and what all share are policies alone."""
    shared = "select grantee from information_schema.role_table_grants where grantee in ('PUBLIC', 'parley_functions')"

    assert roles.granted(owner) == roles.declared()
    assert owner.execute(f"{shared} and table_schema = 'public'").fetchall() == []


@functions
def test_a_function_may_do_what_it_does(name, become):
    """
    Every query of its stores is planned for its role, but for those that it never runs.

    A new query or table fails here: let the role do it (`grants.GRANTS`), or say above that the function never does.
    """
    refused = {query for query in used(name) if "permission denied" in planned(become(name), queries()[query])}

    assert refused == set(NEVER[name].split())


@functions
def test_a_function_may_not_do_what_others_do(name, become):
    """PostgreSQL itself refuses, whatever the code asks for."""
    tried = [statement for statement, who in FORBIDDEN.items() if name in who.split()]
    allowed = []
    for statement in tried:
        try:
            become(name).execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            continue
        allowed.append(statement)

    assert len(tried) > 5
    assert allowed == []


def test_again_changes_nothing_and_what_strayed_is_put_right(shared_database_url, owner):
    owner.execute("grant select on messages to parley_deliver_webhook")
    owner.execute("grant update (content) on requests to parley_deliver_webhook")
    owner.execute("revoke select on actions from parley_deliver_webhook")
    owner.execute("drop policy functions on requests")

    assert roles.apply(shared_database_url) == 4
    assert roles.granted(owner) == roles.declared()
    assert roles.apply(shared_database_url) == 0


def test_command(shared_database_url):
    """Passwords come as a Secret with a key for each function; those of before are worth nothing any more."""
    command = ("-m", "parley.adapters.postgres.roles")

    plain = python(*command, DATABASE_URL=shared_database_url)
    listed = python(*command, "--list")
    secret = python(*command, "--passwords", DATABASE_URL=shared_database_url)
    nothing = python(*command)

    assert (plain.returncode, plain.stdout) == (0, "nothing to change\n")
    assert "deliver-webhook\n" in listed.stdout
    found = yaml.safe_load(secret.stdout)
    assert found["metadata"] == {"name": "parley-database", "namespace": "parley"}
    assert found["stringData"].keys() == {"url", *grants.GRANTS}
    url = found["stringData"]["deliver-webhook"]
    assert re.search(r"//parley_deliver_webhook:[-\w]{43}@", url)
    with psycopg.connect(url) as connection:
        assert connection.execute("select current_user").fetchone() == ("parley_deliver_webhook",)
    assert (nothing.returncode, nothing.stderr) == (2, "DATABASE_URL: required, not set\n")


def test_urls_of_functions_lead_where_functions_are(shared_database_url):
    """And not to this end of a forwarded port, by which whoever makes them signs in."""
    command = ("-m", "parley.adapters.postgres.roles", "--passwords", "--address", "parley-db-rw:5432")

    found = yaml.safe_load(python(*command, DATABASE_URL=shared_database_url).stdout)["stringData"]

    assert found.keys() == {"url", *grants.GRANTS}
    assert {urlsplit(url).netloc.rpartition("@")[2] for url in found.values()} == {"parley-db-rw:5432"}
    assert {urlsplit(url).path for url in found.values()} == {urlsplit(shared_database_url).path}
    assert urlsplit(found["deliver-webhook"]).username == "parley_deliver_webhook"
    assert urlsplit(found["url"]).username == urlsplit(shared_database_url).username
