"""API keys on the command line: shown once, stored as a hash, valid until they expire or are revoked."""

import functools
import re
import threading

import psycopg
import pytest
from databases import end_connections, fresh, run
from processes import python, until

from parley.api import keys

COMMAND = ("-m", "parley.api.keys")
KEY = re.compile(r"pk_([A-Za-z0-9]{8})_[A-Za-z0-9_-]{43}")
TABLES = "select table_name from information_schema.tables where table_schema = 'public'"


@pytest.fixture
def command_at(capsys):
    """Run the command on a database; gives exit status, standard output and standard error."""

    def call(url, *arguments):
        try:
            status = keys.main(list(arguments), url)
        except SystemExit as ended:
            status = ended.code
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def command(command_at, database_url):
    """Run the command on the database of the test."""
    return functools.partial(command_at, database_url)


@pytest.fixture
def made(command):
    """Make a key; gives it and its prefix."""

    def make(*arguments, email="ann@example.org"):
        status, said, _ = command("create", "--email", email, *arguments)
        assert status == 0
        key = said.strip()
        return key, KEY.fullmatch(key)[1]

    return make


@pytest.fixture
def status_with(client):
    """The status that the API answers to a key."""

    def ask(key):
        return client.get("/api/v1/users/me/deliveries", headers={"Authorization": f"Bearer {key}"}).status_code

    return ask


def test_key_opens_the_api(database_url, status_with):
    """The command prints the key and nothing else; a word about it goes to standard error."""
    done = python(*COMMAND, "create", "--email", "ann@example.org", DATABASE_URL=database_url)

    key = done.stdout.strip()
    assert done.returncode == 0
    assert KEY.fullmatch(key)
    assert done.stderr == "This key is shown only now; keep it.\n"
    assert status_with(key) == 200
    assert status_with(key[:-1] + ("A" if key[-1] != "A" else "B")) == 401


def test_key_is_nowhere_in_the_database(database_url, made):
    """Neither the key nor its secret part is in any column of any table, as text or as bytes; its prefix is."""
    key, prefix = made()
    secret = key.split("_", 2)[2]

    tables = [name for (name,) in run(database_url, TABLES)]
    everything = [row for name in tables for row in run(database_url, f'select t::text from "{name}" t')]

    found = "\n".join(text for (text,) in everything)
    assert prefix in found
    for form in (key, secret, key.encode().hex(), secret.encode().hex()):
        assert form not in found
    assert run(database_url, "select digest = sha256(convert_to(%s, 'UTF8')) from api_keys", key) == [(True,)]


def test_two_keys_of_one_person_are_of_one_user(database_url, made):
    """The address is the person, however it is spelt; each key is its own."""
    one, other = made()[0], made(email=" Ann@Example.ORG ")[0]

    assert one != other
    assert run(database_url, "select email from users") == [("ann@example.org",)]
    assert run(database_url, "select count(*), count(distinct user_id) from api_keys") == [(2, 1)]


def test_key_without_a_wish_is_a_users_for_ever(database_url, made):
    """The least role, and no end."""
    made()

    found = run(database_url, "select role, name, expires_at from api_keys")
    assert found == [("user", "key", None)]


def test_scopes_are_kept(database_url, made):
    """Only what was named; without any, all that the role may."""
    made("--scopes", "requests:read, data")
    made()

    assert run(database_url, "select scopes from api_keys order by created_at") == [
        (["requests:read", "data"],),
        (None,),
    ]


def test_role_and_name_are_kept(database_url, made):
    """What was asked for is what is stored."""
    roles = ["admin", "service", "support", "user"]
    for role in roles:
        made("--role", role, "--name", f"Ann's {role}")

    found = run(database_url, "select role, name from api_keys order by role")
    assert found == [(role, f"Ann's {role}") for role in roles]


def test_key_has_an_end(database_url, made, status_with, command):
    """It is valid for as many days as asked for, and then as good as none."""
    key, prefix = made("--expires-days", "30")
    kept = run(database_url, "select expires_at - created_at = interval '30 days' from api_keys")
    before = status_with(key)

    run(database_url, "update api_keys set expires_at = now() where prefix = %s", prefix)

    assert kept == [(True,)]
    assert (before, status_with(key)) == (200, 401)
    assert f"{prefix}  user     expired" in command("list")[1]


def test_revoked_key_is_none(made, status_with, command):
    """From the next call on; other keys of the same person stay."""
    (key, prefix), (other, _) = made(), made()
    before = status_with(key)

    done = command("revoke", prefix)

    assert done == (0, "revoked\n", "")
    assert (before, status_with(key), status_with(other)) == (200, 401, 200)
    assert f"{prefix}  user     revoked" in command("list")[1]


def test_key_is_revoked_once(database_url, made, command):
    """The second time there is nothing to revoke, and the first time stays what is known."""
    _, prefix = made()
    command("revoke", prefix)
    when = run(database_url, "select revoked_at from api_keys")

    status, said, complaint = command("revoke", prefix)

    assert (status, said) == (1, "")
    assert complaint == f"keys: no valid key has the prefix {prefix}\n"
    assert run(database_url, "select revoked_at from api_keys") == when


def test_unknown_prefix_revokes_nothing(made, status_with, command):
    """Exit status 1 and one line; no part and no pattern of a prefix is one."""
    key, prefix = made()

    done = [command("revoke", wrong) for wrong in ("AAAAAAAA", "", "%", prefix[:7])]

    assert [(status, said, len(complaint.splitlines())) for status, said, complaint in done] == [(1, "", 1)] * 4
    assert status_with(key) == 200


def test_list_shows_all_and_opens_nothing(made, command):
    """A line for each key in the order of their making: prefix, role, state, whose, what for; never the key."""
    ann, bob = made("--name", "laptop"), made("--role", "service", "--name", "ticket bot", email="bot@example.org")

    status, said, complaint = command("list")

    assert (status, complaint) == (0, "")
    assert [line.split(maxsplit=4) for line in said.splitlines()] == [
        [ann[1], "user", "valid", "ann@example.org", "laptop"],
        [bob[1], "service", "valid", "bot@example.org", "ticket bot"],
    ]
    assert not any(key.split("_", 2)[2] in said for key, _ in (ann, bob))


def test_list_of_no_keys_is_empty(command):
    """No line, no fault."""
    assert command("list") == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "command"),
        (("delete",), "delete"),
        (("create",), "--email"),
        (("create", "--email"), "--email"),
        (("create", "--email", "a@b.example", "--role", "root"), "--role"),
        (("create", "--email", "a@b.example", "--expires-days", "soon"), "--expires-days"),
        (("create", "--email", "a@b.example", "--scopes", "requests:read,everything"), "--scopes"),
        (("revoke",), "prefix"),
        (("list", "all"), "all"),
    ],
)
def test_wrong_usage_is_told(command_at, arguments, word):
    """Exit status 2 and what is wrong, before any database is asked."""
    status, said, complaint = command_at("postgresql://127.0.0.1:9/none", *arguments)

    assert (status, said) == (2, "")
    assert word in complaint.splitlines()[-1]


@pytest.mark.parametrize("days", ["0", "-3", "3651", "9999999", "9" * 30, "000000123456789", "1.5", "٣"])
def test_days_that_are_none_are_refused(command, days):
    """1 to 3650: nothing is made, and the list can still be shown."""
    status, said, complaint = command("create", "--email", "ann@example.org", f"--expires-days={days}")

    assert (status, said) == (2, "")
    assert complaint.splitlines()[-1].endswith("argument --expires-days: must be a number from 1 to 3650")
    assert command("list") == (0, "", "")


@pytest.mark.parametrize("days", ["1", "3650"])
def test_first_and_last_day_are_taken(made, days):
    """The limits themselves are allowed."""
    assert made("--expires-days", days)


@pytest.mark.parametrize("email", ["", "nobody", "a@b, c@d", "a@b\r\nBcc: c@d", "x@" + "y" * 254])
def test_address_that_is_none_is_refused(database_url, command, email):
    """What no request could be asked for is nobody's key either."""
    status, said, complaint = command("create", "--email", email)

    assert (status, said) == (2, "")
    assert complaint.splitlines()[-1].endswith("argument --email: is no e-mail address")
    assert run(database_url, "select count(*) from users") == [(0,)]


@pytest.mark.parametrize("arguments", [("list",), ("create", "--email", "ann@example.org"), ("revoke", "AAAAAAAA")])
def test_database_without_a_schema_is_one_line(postgres_server, command_at, arguments):
    """Exit status 2, and what to do."""
    with fresh(postgres_server) as url:
        done = command_at(url, *arguments)

    assert done == (2, "", "keys: the database has no schema: run the migrations\n")


def test_malformed_url_is_one_line_without_the_password(command_at):
    """Exit status 2; what is malformed may be the password."""
    done = command_at("postgresql://parley:hun%ter2@host/db", "list")

    assert done == (2, "", "keys: DATABASE_URL: is no PostgreSQL URL\n")


@pytest.mark.parametrize("arguments", [("list",), ("create", "--email", "ann@example.org"), ("revoke", "AAAAAAAA")])
@pytest.mark.parametrize("url", [None, ""])
def test_without_a_url_it_says_so(command_at, arguments, url):
    """Exit status 2 and the variable's name."""
    assert command_at(url, *arguments) == (2, "", "DATABASE_URL: required, not set\n")


def test_server_that_goes_away_is_one_line(database_url, command):
    """Exit status 2, no traceback, and no key is shown that is not stored."""
    results = []
    waiting = "select 1 from pg_stat_activity where application_name = 'parley-keys' and wait_event_type = 'Lock'"

    with psycopg.connect(database_url) as other:
        other.execute("lock table api_keys")
        arguments = ("create", "--email", "ann@example.org")
        call = threading.Thread(target=lambda: results.append(command(*arguments)))
        call.start()
        until(lambda: run(database_url, waiting))
        end_connections(database_url, "parley-keys")
        call.join(30)

    assert results == [(2, "", "keys: the database cannot be used now\n")]
    assert run(database_url, "select count(*) from api_keys") == [(0,)]
