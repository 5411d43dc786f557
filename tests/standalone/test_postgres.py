"""A PostgreSQL of our own: it starts, keeps what was written through every kind of end, and leaves nothing behind."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from parley.errors import Misconfigured
from standalone import postgres
from standalone.postgres import EmbeddedPostgres

# A process that starts a server and then only waits, until it is killed or its input ends.
STARTER = (
    "import sys; from pathlib import Path; from standalone.postgres import EmbeddedPostgres;"
    "server = EmbeddedPostgres(Path(sys.argv[1])); server.start();"
    "print(server.pid, flush=True); sys.stdin.read(); server.stop()"
)


@pytest.fixture
def cluster():
    """Make servers of folders; at the end none runs, and what they had on disk is removed."""
    made = []

    def make(folder):
        made.append(EmbeddedPostgres(folder, durable=False))
        return made[-1]

    yield make
    for one in made:
        end(one)
        shutil.rmtree(one.home, ignore_errors=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of one cluster that the tests share, made by the first of them."""
    place = tmp_path_factory.mktemp("postgres")
    yield place
    shutil.rmtree(EmbeddedPostgres(place).home, ignore_errors=True)


@pytest.fixture
def server(folder):
    """The shared cluster, not running before and not after; without `durable=False`, as `make run` has it."""
    one = EmbeddedPostgres(folder)
    yield one
    end(one)


@pytest.fixture
def starter(folder):
    """Start the shared cluster from a process of its own; gives the process and the server's number."""
    started = []

    def start():
        lib = Path(sys.modules[EmbeddedPostgres.__module__].__file__).parents[1]
        process = subprocess.Popen(
            [sys.executable, "-c", STARTER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(lib)}, text=True,
        )  # fmt: skip
        started.append(process)
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def stranger():
    """Start a process that has nothing to do with us, for the owner of a folder."""
    started = []

    def start(owner):
        started.append(subprocess.Popen(["sleep", "60"], user=owner.st_uid, group=owner.st_gid, extra_groups=[]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def end(server):
    """End a server, whoever has started it."""
    server.stop()
    if server.pid and alive(server.pid):
        server.kill()
    shutil.rmtree(server.socket, ignore_errors=True)


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in {seconds} s"
        time.sleep(0.01)


def run(url, *statements):
    """Run statements, each committed; gives the rows of the last one."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def remember(url):
    """Write something down that nobody else does; gives the query that finds it again."""
    name = f"kept_{time.monotonic_ns()}"
    run(url, f"create table {name} as select 'käse' as word")
    return f"select word from {name}"


def kill_postmaster(server):
    psutil.Process(server.pid).kill()


def kill_all(server):
    server.kill()


def test_it_starts_with_a_database_and_pgvector(server):
    """
    The URL is that of a database with the extension, in UTF-8 and UTC.
    """
    url = server.start()

    assert url == server.url
    assert run(url, "select '[1,2,3]'::vector <-> '[1,2,5]'") == [(2.0,)]
    assert run(url, "show server_encoding") == [("UTF8",)]
    assert run(url, "show timezone") == [("UTC",)]
    assert server.running()


def test_it_can_be_reached_by_its_owner_only(server):
    """
    No TCP port, and a socket in a folder that is closed to everybody else: there is no password.
    """
    url = server.start()

    assert run(url, "show listen_addresses") == [("",)]
    assert server.socket.stat().st_mode & 0o777 == 0o700
    assert server.home.stat().st_mode & 0o777 == 0o700
    assert server.data.stat().st_mode & 0o777 == 0o700


def test_crash_safety_is_given_up_for_tests_only(server, folder):
    """
    `durable=False` does not wait for the disk; without it, everything is as PostgreSQL has it.
    """
    query = "select current_setting('fsync'), current_setting('synchronous_commit')"

    careful = run(server.start(), query)
    server.stop()
    with EmbeddedPostgres(folder, durable=False) as for_tests:
        careless = run(for_tests.start(), query)

    assert careless == [("off", "off")]
    assert careful == [("on", "on")]


def test_it_stops_while_somebody_is_connected(server):
    """
    After the stop there is no process, no socket and no number of a process.
    """
    url = server.start()
    pid = server.pid

    with psycopg.connect(url):
        server.stop()

    assert not alive(pid)
    assert not server.running()
    assert server.pid is None
    assert not server.socket.exists()


def test_stop_of_what_does_not_run_is_nothing(server):
    """
    Before the start, and twice.
    """
    server.stop()
    server.start()
    server.stop()
    server.stop()

    assert not server.running()


def test_stop_without_its_folder_is_nothing(tmp_path, cluster):
    """
    Somebody has removed it with all that is in it; the duty to stop is given back all the same.
    """
    server = cluster(tmp_path)
    server.home.mkdir(parents=True, exist_ok=True)
    server._take_part()
    shutil.rmtree(server.home)

    server.stop()

    assert server._share is None


def test_leaving_the_block_stops_it(server):
    """
    Also when the block ends with an error.
    """

    def fail():
        with server:
            server.start()
            assert server.running()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert not server.running()


def test_data_survive_a_stop_and_a_start(server):
    """
    The second start is of the same cluster.
    """
    question = remember(server.start())
    server.stop()

    assert run(server.start(), question) == [("käse",)]


@pytest.mark.parametrize("kill", [kill_postmaster, kill_all])
def test_data_survive_kill_9_of_the_server(server, kill):
    """
    With clients connected, the postmaster alone or all its processes: the next start recovers what was committed.
    """
    url = server.start()
    question = remember(url)
    with contextlib.closing(psycopg.connect(url)) as client:
        client.execute("create table never_committed ()")
        killed = server.pid
        kill(server)
        until(lambda: not alive(killed))

        again = server.start()

    assert run(again, question) == [("käse",)]
    assert run(again, "select to_regclass('never_committed')") == [(None,)]
    assert server.pid != killed
    server.stop()
    assert not server.running()


def test_data_survive_a_restart_without_a_checkpoint(server):
    """Stopped with `-m immediate` under a client and started again: what was committed is there, the client is not."""
    url = server.start()
    question = remember(url)
    with contextlib.closing(psycopg.connect(url)) as client:
        before = server.pid
        server.restart()

        with pytest.raises(psycopg.OperationalError):
            client.execute("select 1")

    assert server.pid != before
    assert run(url, question) == [("käse",)]


def test_server_of_a_killed_process_is_taken_over(server, starter):
    """
    kill -9 of who started it leaves the server; the next start uses it, with its data, and its stop ends it.
    """
    process, pid = starter()
    question = remember(server.url)
    process.kill()
    process.wait()
    assert alive(pid)

    found = run(server.start(), question)
    taken = server.pid
    server.stop()

    assert found == [("käse",)]
    assert taken == pid
    assert not alive(pid)


def test_death_of_both_at_once_is_survived(server, starter):
    """
    The process and its server are killed: the next start is a new server over the same data.
    """
    process, pid = starter()
    question = remember(server.url)
    process.kill()
    server.kill()
    process.wait()

    assert run(server.start(), question) == [("käse",)]
    assert server.pid != pid
    assert not alive(pid)


def test_second_start_uses_the_server_that_runs(server, starter):
    """
    Same URL, same server; stopping it is left to the process that started it.
    """
    process, pid = starter()

    with server:
        assert run(server.start(), "select 1") == [(1,)]
        assert server.pid == pid
    assert server.running()
    process.communicate()

    assert process.returncode == 0
    assert not alive(pid)


def test_whoever_leaves_last_stops_it(tmp_path, cluster):
    """
    The first to come may be the first to go: the server is not pulled away under the other.
    """
    first, second = cluster(tmp_path), cluster(tmp_path)
    first.start()
    url = second.start()

    first.stop()

    assert run(url, "select 1") == [(1,)]
    second.stop()
    assert not second.running()


def test_two_starts_at_one_moment_give_one_server(tmp_path, cluster):
    """
    In a folder where nothing is yet, one makes the cluster and the other waits for it.
    """
    both = [cluster(tmp_path), cluster(tmp_path)]

    with ThreadPoolExecutor(2) as pool:
        urls = list(pool.map(lambda one: one.start(), both))

    assert urls[0] == urls[1]
    assert both[0].pid == both[1].pid
    assert run(urls[0], "select extname from pg_extension where extname = 'vector'") == [("vector",)]


def test_folder_with_spaces_and_quotes(cluster):
    """
    Data and log may lie in any folder of the owner's, whatever it is called.
    """
    outer = Path(tempfile.mkdtemp(prefix="Ann's own & folder "))
    outer.chmod(0o755)
    try:
        server = cluster(outer)
        # As root the cluster would live under /var/lib/parley: here it stays in the folder with the odd name.
        server.home, server.data, server.log = outer / "pg", outer / "pg" / "data", outer / "pg" / "postgres.log"

        assert run(server.start(), "select current_setting('data_directory')") == [(str(server.data),)]
        server.stop()
        assert not server.running()
    finally:
        shutil.rmtree(outer)


def test_each_folder_has_a_server_of_its_own(tmp_path):
    """
    Different folders share neither data nor socket; the same folder, written otherwise, is the same.
    """
    one, other = EmbeddedPostgres(tmp_path / "a"), EmbeddedPostgres(tmp_path / "b")

    assert one.url != other.url
    assert one.home != other.home
    assert len(f"{one.socket}/.s.PGSQL.5432") < 100


@pytest.mark.parametrize("waited_for", [True, False], ids=["gone", "gone but not waited for"])
def test_number_of_a_process_that_is_gone_does_not_hinder(server, waited_for):
    """
    A `postmaster.pid` that a power cut has left behind, also when its process is not reaped yet.
    """
    server.start()
    server.stop()
    owner = server.data.stat()
    gone = subprocess.Popen(["true"], user=owner.st_uid, group=owner.st_gid, extra_groups=[])
    until(lambda: not alive(gone.pid))
    if waited_for:
        gone.wait()
    stale = server.data / "postmaster.pid"
    stale.write_text(f"{gone.pid}\n{server.data}\n1700000000\n5432\n{server.socket}\n\n  1  1\nready   \n")

    url = server.start()

    assert run(url, "select 1") == [(1,)]
    assert server.pid != gone.pid
    gone.wait()


@pytest.mark.parametrize("text", ["", "\n", "no number\n"], ids=["empty", "blank", "garbled"])
def test_number_that_is_none_does_not_hinder(server, text):
    """
    A `postmaster.pid` that a power cut has left half-written.
    """
    server.start()
    server.stop()
    (server.data / "postmaster.pid").write_text(text)

    assert run(server.start(), "select 1") == [(1,)]


def test_number_of_a_stranger_hinders_neither_start_nor_stop(server, stranger):
    """
    After a reboot the old number is that of another process of the same account, which notices nothing.
    """
    server.start()
    server.stop()
    process = stranger(server.data.stat())
    stale = f"{process.pid}\n{server.data}\n1700000000\n5432\n{server.socket}\n\n  1  1\nready   \n"
    (server.data / "postmaster.pid").write_text(stale)

    url = server.start()
    pid = server.pid
    answer = run(url, "select 1")
    server.kill()
    (server.data / "postmaster.pid").write_text(stale)
    server.stop()

    assert answer == [(1,)]
    assert pid != process.pid
    assert process.poll() is None


def test_start_during_a_stop_waits_for_its_end(server, folder):
    """
    It gets a server of its own, which is neither stopped nor robbed of its socket, and which somebody stops.
    """
    server.start()
    other = EmbeddedPostgres(folder)
    stopping = threading.Event()
    end, server._end = server._end, lambda mode: (stopping.set(), time.sleep(0.1), end(mode))

    with ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(server.stop)
        stopping.wait()
        url = other.start()
        stopped.result()

    assert run(url, "select 1") == [(1,)]
    other.stop()
    assert not other.running()
    assert other.pid is None


def test_start_waits_for_a_server_that_recovers(server, starter):
    """
    One that lives but does not answer yet is neither an error nor launched again.
    """
    process, pid = starter()
    process.kill()
    process.wait()
    ensure, refused = server._ensure_database, iter([1, 2, 3])

    def recovering():
        if next(refused, None):
            raise psycopg.OperationalError("the database system is not yet accepting connections")
        ensure()

    server._ensure_database = recovering

    assert run(server.start(), "select 1") == [(1,)]
    assert server.pid == pid


def test_server_whose_socket_was_cleaned_away_is_started_again(server, starter):
    """
    It lives, but nobody can reach it.
    """
    process, pid = starter()
    question = remember(server.url)
    process.kill()
    process.wait()
    shutil.rmtree(server.socket)

    assert run(server.start(), question) == [("käse",)]
    assert server.pid != pid
    assert not alive(pid)


def test_server_is_found_though_the_folder_for_temporary_files_is_another(server, starter, folder, monkeypatch):
    """
    TMPDIR differs from terminal to terminal; where its socket is the server has written down itself.
    """
    process, pid = starter()
    process.kill()
    process.wait()
    there = server.socket
    monkeypatch.setattr(tempfile, "tempdir", "/var/tmp")
    moved = EmbeddedPostgres(folder)

    with moved:
        assert run(moved.start(), "select 1") == [(1,)]
        assert (moved.pid, moved.socket) == (pid, there)

    assert not alive(pid)
    assert not there.exists()


def test_folder_for_temporary_files_with_odd_letters(cluster, tmp_path, monkeypatch):
    """
    Spaces, quotes and percent signs in TMPDIR reach the server and the URL as they are.
    """
    odd = Path(tempfile.mkdtemp(prefix="Ann's 100% & "))
    odd.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(odd))
    server = cluster(tmp_path)

    url = server.start()

    assert run(url, "show unix_socket_directories") == [(str(server.socket),)]
    assert server.socket.parent == odd
    server.stop()
    odd.rmdir()


def test_link_in_the_place_of_the_socket_is_not_followed(server, tmp_path):
    """
    Others can write to /tmp, too: what is there already and cannot be removed is refused, and keeps its owner.
    """
    tmp_path.chmod(0o700)
    server.socket.symlink_to(tmp_path)

    with pytest.raises(Misconfigured) as error:
        server.start()
    server.socket.unlink()

    assert str(error.value) == f"{server.socket} belongs to somebody else"
    assert tmp_path.stat().st_uid == os.geteuid()


def test_process_is_known_without_proc(monkeypatch):
    """
    Where there is no /proc, `ps` tells what a process was started with.
    """
    gone = subprocess.Popen(["true"])
    gone.wait()
    monkeypatch.setattr(postgres, "Path", lambda path: Path(path.replace("/proc", "/nowhere")))

    assert "python" in postgres._command(os.getpid())
    assert postgres._command(gone.pid) == ""


def test_half_made_cluster_is_made_anew(tmp_path, cluster):
    """
    A first start that was killed in its middle leaves nothing that the second takes for a cluster.
    """
    server = cluster(tmp_path)
    half = server.home / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    assert run(server.start(), "select 1") == [(1,)]
    assert not half.exists()


def test_cluster_of_another_major_version_is_refused(tmp_path, cluster):
    """
    The message names the folder and both versions; nothing is touched.
    """
    server = cluster(tmp_path)
    server.data.mkdir(parents=True)
    (server.data / "PG_VERSION").write_text("17\n")

    with pytest.raises(Misconfigured) as error:
        server.start()

    assert str(error.value) == f"{server.data} was made by PostgreSQL 17, this is 18: dump and load it"
    assert [path.name for path in server.data.iterdir()] == ["PG_VERSION"]


def test_reason_why_it_does_not_start_is_told(server):
    """
    The last lines of the log are in the message; without the fault, it starts.
    """
    server.start()
    server.stop()
    settings = server.data / "postgresql.auto.conf"
    before = settings.read_text()
    settings.write_text("no_such_setting = 1\n")

    with pytest.raises(Misconfigured) as error:
        server.start()
    settings.write_text(before)

    assert "no_such_setting" in str(error.value)
    assert run(server.start(), "select 1") == [(1,)]


def test_ctrl_c_in_a_terminal_is_not_for_the_server(server, starter):
    """
    SIGINT goes to all processes of a group: the server is in another one than who started it.
    """
    process, pid = starter()

    assert os.getpgid(pid) != os.getpgid(process.pid)
    assert os.getsid(pid) != os.getsid(process.pid)


def test_it_knows_whether_somebody_else_uses_the_server(server, starter, folder):
    """
    Alone: also beside a server that was left running by one who was killed. Not alone: beside one who lives.

    Only the one who is alone may take what others have held for abandoned.
    """
    first, _ = starter()
    server.start()
    assert not server.is_ours_alone
    server.stop()

    first.kill()
    first.wait()
    server.start()

    assert server.is_ours_alone
