"""The door to PostgreSQL: what may pass by itself is Unavailable, all or nothing, and never too many connections."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest
from databases import end_connections, fresh, run
from processes import until
from psycopg.conninfo import conninfo_to_dict

from parley.adapters.postgres import migrate
from parley.adapters.postgres.database import Database, _translated
from parley.domain import ids
from parley.errors import Misconfigured, Unavailable

NOWHERE = "postgresql://parley:hunter2@127.0.0.1:9/parley"
CONNECTIONS = "select count(*) from pg_stat_activity where datname = current_database() and application_name = %s"


@pytest.fixture(scope="module")
def url(postgres_server, database_template):
    """A database that the tests of this module share; none of them changes its schema."""
    with fresh(postgres_server, database_template) as found:
        yield found


@pytest.fixture
def door(request):
    """Make a door, whose name is `parley-door`; it is closed at the end."""
    made = []

    def make(url, **options):
        one = Database(url, name="door", **options)
        request.addfinalizer(one.close)
        made.append(one)
        return one

    return make


@pytest.fixture
def connections(url):
    """How many connections the door has; at first none."""

    def count():
        return run(url, CONNECTIONS, "parley-door")[0][0]

    until(lambda: count() == 0)
    return count


@pytest.fixture
def emails(url):
    """The e-mail addresses of all users; at first none."""
    run(url, "truncate users cascade")
    return lambda: [email for (email,) in run(url, "select email from users order by email")]


@pytest.fixture
def restart(url):
    """End the door's connections, as a restart of the server does; there must be some."""

    def end(*_):
        ended = end_connections(url, "parley-door")
        assert ended
        return ended

    return end


def add(place, email):
    place.row("insert_user", id=ids.new(), email=email, display_name="", timezone=None)


def together(door, *steps):
    """Do steps in one transaction; each is called with it."""
    with door.transaction() as transaction:
        for step in steps:
            step(transaction)


def adding(email):
    return lambda place: add(place, email)


def executing(statement):
    return lambda transaction: transaction._connection.execute(statement)


def failing(_):
    raise KeyError("ours")


def impatient(door):
    """The same door, that gives up waiting for a connection at once: the tests have no ten seconds."""
    door._opened().timeout = 0.1
    return door


def test_nothing_is_opened_before_the_first_use(door, url, connections):
    """To make a door costs nothing, and fails never."""
    door(NOWHERE).close()
    made = door(url)
    before = connections()
    made.row("ping")

    assert (before, connections()) == (0, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql://app:hun%ter2@host/db", "postgres:/app:hunter2@host/db", "postgresql://app:pa/hunter2@host/db",
        "postgresql://app:12/hunter2@host/db", "postgresql://app:hun@ter2@host/db", "postgresql://app:hunter2",
        "app:hunter2@host", "hunter2", "postgresql://app:hunter2@host/db\udcff",
    ],
)  # fmt: skip
def test_malformed_url_is_told_at_once_and_never_shown(wrong):
    """When the door is made; its parts are in no word of the error, nor in one behind it."""
    with pytest.raises(Misconfigured) as raised:
        Database(wrong, name="door")

    assert str(raised.value) == "DATABASE_URL: is no PostgreSQL URL"
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)


@pytest.mark.parametrize(
    "right",
    [
        "postgresql://app:hunter2@host/db", "postgres://app@host:5433/db?sslmode=require", "postgresql:///db",
        "postgresql://me%40there:a%2Fb%40c@h1:1,h2:2/db", "postgresql://[::1]/db",
        "host=/run/pg dbname=db password='@ /'",
    ],
)  # fmt: skip
def test_every_form_of_a_url_is_taken(door, right):
    """All that libpq takes; nothing is opened."""
    assert door(right).url == right


@pytest.mark.parametrize(
    "use",
    [lambda door: door.row("ping"), lambda door: together(door, adding("ann@example.org")), Database.ready],
    ids=["row", "transaction", "ready"],
)
def test_dead_server_is_unavailable(door, use):
    """Whoever asks can come again; the text tells neither place nor password."""
    closed = impatient(door(NOWHERE))

    with pytest.raises(Unavailable) as raised:
        use(closed)

    assert str(raised.value) == "the database cannot be used now"


def test_server_that_goes_away_in_the_middle_is_unavailable(door, url, emails, restart):
    """The transaction is lost as a whole, and the next one has a new connection."""
    one = door(url, max_connections=1)

    with pytest.raises(Unavailable):
        together(one, adding("ann@example.org"), restart, adding("bob@example.org"))

    assert emails() == []
    assert one.row("ping") == {"ok": 1}


def test_server_that_goes_away_before_the_commit_is_unavailable(door, url, emails, restart):
    """What was not committed is not reported as done."""
    one = door(url)

    with pytest.raises(Unavailable):
        together(one, adding("ann@example.org"), restart)

    assert emails() == []


def test_connection_that_died_idle_is_noticed(door, url, restart):
    """After a restart of the server, whoever comes first is served like any other."""
    one = door(url)
    one.row("ping")
    restart()

    assert one.row("ping") == {"ok": 1}


def test_pool_recovers_from_a_restart(door, url, restart):
    """However many connections died idle: nobody notices."""
    one = door(url, max_connections=2)
    barrier = threading.Barrier(2)

    def use(_):
        with one.transaction() as transaction:
            barrier.wait(20)
            return transaction.row("ping")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(use, range(2)))
        ended = restart()
        after = list(threads.map(use, range(2)))

    assert (ended, after) == (2, [{"ok": 1}] * 2)


def test_lock_that_others_hold_is_unavailable(door, url):
    """A statement that waited too long may succeed later."""
    one = door(url)

    with psycopg.connect(url) as other:
        other.execute("lock table users")
        with pytest.raises(Unavailable) as raised:
            together(one, executing("set local lock_timeout = '1ms'"), adding("ann@example.org"))

    assert isinstance(raised.value.__cause__, psycopg.errors.LockNotAvailable)


def test_statement_that_runs_too_long_is_unavailable(door, url):
    """The same for a statement that the server cuts."""
    one = door(url)

    with pytest.raises(Unavailable) as raised:
        together(one, executing("set local statement_timeout = '1ms'"), executing("select pg_sleep(20)"))

    assert isinstance(raised.value.__cause__, psycopg.errors.QueryCanceled)


def test_every_connection_has_limits(door, url):
    """No statement, lock or forgotten transaction lasts for ever, and times are UTC."""
    one = door(url)

    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "TimeZone")
    with one.autocommit() as alone:
        found = [alone._connection.execute(f"show {name}").fetchone()[name] for name in names]

    assert found == ["15s", "5s", "20s", "UTC"]


def test_statement_that_is_wrong_is_a_bug(door, url):
    """What will fail again is not Unavailable, and costs no connection."""
    one = door(url)

    with pytest.raises(psycopg.errors.CheckViolation):
        add(one, "Ann@Example.org")

    assert one.row("ping") == {"ok": 1}


def test_exception_rolls_back(door, url, emails):
    """All or nothing, and the exception is the caller's own."""
    one = door(url)

    with pytest.raises(KeyError, match="ours"):
        together(one, adding("ann@example.org"), failing)

    assert emails() == []


def test_end_commits(door, url, emails):
    """What was done together is there together, for everybody."""
    one = door(url)

    with one.transaction() as transaction:
        add(transaction, "ann@example.org")
        seen = emails()
        add(transaction, "bob@example.org")

    assert seen == []
    assert emails() == ["ann@example.org", "bob@example.org"]


def test_statement_by_itself_is_committed_at_once(door, url, emails):
    """An exception afterwards undoes nothing."""
    one = door(url)

    with pytest.raises(KeyError, match="ours"), one.autocommit() as alone:
        [step(alone) for step in (adding("ann@example.org"), failing)]

    assert emails() == ["ann@example.org"]


@pytest.mark.parametrize("most", [1, 3])
def test_pool_has_a_limit(door, url, connections, most):
    """However many ask at once: never more connections than allowed, and everybody gets one in the end."""
    one = door(url, max_connections=most)
    inside, seen, lock = [], [], threading.Lock()

    def use(number):
        with one.transaction() as transaction:
            with lock:
                inside.append(number)
                seen.append((len(inside), connections()))
            transaction.row("ping")
            with lock:
                inside.remove(number)
        return number

    with ThreadPoolExecutor(12) as threads:
        done = list(threads.map(use, range(24)))

    assert done == list(range(24))
    assert max(at_once for at_once, _ in seen) <= most
    assert max(opened for _, opened in seen) <= most


def test_all_of_the_pool_can_be_used(door, url):
    """As many transactions as allowed run side by side."""
    one = door(url, max_connections=3)
    barrier = threading.Barrier(3)

    def use(_):
        with one.transaction():
            barrier.wait(20)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(use, range(3)))

    assert not barrier.broken


PREPARED = "select count(*) as n from pg_prepared_statements"


def prepared(one):
    """Use a statement a few times; gives how many are prepared then."""
    for _ in range(6):
        one.row("due_delivery", id=UUID(int=1))
    with one.autocommit() as alone:
        return alone._connection.execute(PREPARED).fetchone()["n"]


def test_statements_that_come_again_are_prepared(door, url):
    """They take half of the time."""
    assert prepared(door(url, max_connections=1)) > 0


def test_behind_a_pooler_no_statement_is_prepared(door, url, pooler):
    """The next statement may have another connection. A pooler is known by the process number that it makes up."""
    assert prepared(door(pooler(url), max_connections=1)) == 0


def test_a_migration_under_prepared_statements_costs_one_try(door, empty_url):
    """What was prepared gives rows of the old form: that connection is left, and the next one is right."""
    migrate.apply(empty_url)
    one = door(empty_url, max_connections=1)
    for _ in range(6):
        one.row("standing", id=UUID(int=1))
    run(empty_url, "alter table requests add column more text")

    with pytest.raises(Unavailable):
        one.row("standing", id=UUID(int=1))
    assert one.row("standing", id=UUID(int=1)) is None


@pytest.fixture
def pooler():
    """Stand something before PostgreSQL that makes up process numbers, as poolers do; gives the URL of it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def make(url):
        parts = conninfo_to_dict(url)
        path = f"{parts['host']}/.s.PGSQL.{parts.get('port', 5432)}"
        threading.Thread(target=pool, args=(listener, path), daemon=True).start()
        port = listener.getsockname()[1]
        return f"postgresql://{parts['user']}@127.0.0.1:{port}/{parts['dbname']}?sslmode=disable&gssencmode=disable"

    yield make
    listener.close()


def pool(listener, path):
    """Take one connection, and pass on what is said."""
    client, _ = listener.accept()
    server = socket.socket(socket.AF_UNIX)
    server.connect(path)
    threading.Thread(target=pump, args=(client, server), daemon=True).start()
    pump(server, client)


def pump(source, target):
    while data := source.recv(65536):
        at = data.find(b"K\x00\x00\x00\x0c")  # BackendKeyData: number of the process, secret
        if at >= 0:
            data = data[: at + 5] + b"\x00\x00\x00\x07" + data[at + 9 :]
        target.sendall(data)
    target.close()


def test_close_gives_every_connection_back(door, url, connections):
    """Nothing stays behind; to close twice is no fault."""
    one = door(url)
    one.row("ping")

    one.close()
    one.close()

    until(lambda: connections() == 0)


def test_database_without_schema_is_not_ready(door, empty_url):
    """It becomes ready by the migrations, without a restart."""
    one = door(empty_url)

    with pytest.raises(Unavailable, match="no schema: run the migrations"):
        one.ready()
    migrate.apply(empty_url)
    one.ready()


def test_schema_of_no_migration_is_not_ready(door, empty_url):
    """The table of a migration that failed is no schema."""
    run(empty_url, migrate._TABLE)

    with pytest.raises(Unavailable, match="the schema is at 0, 1 is needed"):
        door(empty_url).ready()


def test_older_schema_is_not_ready(door, database_url):
    """Code waits for the schema that it needs, and notices when it has come."""
    [(now,)] = run(database_url, "select max(version) from schema_migrations")
    one = door(database_url, min_schema=now + 1)

    with pytest.raises(Unavailable, match=f"the schema is at {now}, {now + 1} is needed"):
        one.ready()
    run(database_url, "insert into schema_migrations (version, name, digest) values (%s, 'next', 'x')", now + 1)
    one.ready()


def test_newer_schema_is_ready(door, database_url):
    """The database is migrated before the code that needs it is there."""
    run(database_url, "insert into schema_migrations (version, name, digest) values (9999, 'later', 'x')")

    door(database_url).ready()


def test_once_ready_is_not_ready_for_ever(door, empty_url):
    """A server that goes away later is noticed."""
    migrate.apply(empty_url)
    one = impatient(door(empty_url))
    one.ready()

    name = urlsplit(empty_url).path.removeprefix("/")
    run(urlsplit(empty_url)._replace(path="/postgres").geturl(), f'drop database "{name}" with (force)')

    with pytest.raises(Unavailable):
        one.ready()


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (psycopg.errors.InsufficientPrivilege, psycopg.errors.InsufficientPrivilege),
        (psycopg.errors.AdminShutdown, Unavailable),
    ],
)
def test_what_aborted_a_pipeline_is_told_and_not_that_it_was_aborted(first, told):
    """Which of the two is read first is chance; a bug must not be taken for a database that is away."""

    def aborted():
        try:
            raise first
        except psycopg.Error:
            raise psycopg.errors.PipelineAborted from None

    with pytest.raises(told), _translated():
        aborted()
