"""`python -m parley.serve FOLDER` as a process: honest about being ready, never cuts a request, says what is wrong."""

import http.client
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pytest
import waitress.task
from databases import fresh, run
from processes import FUNCTIONS, FunctionProcess, python, until

from parley import envelope
from parley.adapters.postgres import migrate
from parley.serve import finished

TINY = Path(__file__).parent / "tiny"
SECRET = "hunter2-the-password"
NOWHERE = "postgresql://127.0.0.1:9/none"
ANSWER = "Ask Ms. Zwetschge on floor seven."
LARGEST = 2 << 20


@pytest.fixture
def start(tmp_path):
    """Start a function; gives the process when it listens."""
    started = []

    def begin(folder=TINY, **settings):
        settings = settings if folder != TINY else {"SECRET": SECRET, **settings}
        process = FunctionProcess(folder, tmp_path / f"{len(started)}.log", **settings)
        started.append(process)
        return process.__enter__()

    yield begin
    for process in started:
        process.__exit__()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The small function as a process that its tests share; four threads."""
    with FunctionProcess(TINY, tmp_path_factory.mktemp("tiny") / "log", SECRET=SECRET, THREADS="4") as process:
        yield process


@pytest.fixture(scope="module", autouse=True)
def lonely(postgres_server, tmp_path_factory):
    """
    deliver-test whose database does not exist, and what it has answered meanwhile.

    Started before all other tests: an event takes its ten seconds to be given up, and nobody has to watch it.
    """
    with fresh(postgres_server) as url, ThreadPoolExecutor(2) as threads:
        name = urlsplit(url).path.removeprefix("/")
        make = f'create database "{name}"'
        run(postgres_server, f'drop database "{name}"')
        log = tmp_path_factory.mktemp("lonely") / "log"
        with FunctionProcess(FUNCTIONS / "deliver-test", log, DATABASE_URL=url) as process:
            ready = threads.submit(process.get, "/health/readiness")
            event = threads.submit(post_event, process, request_id=NOBODY, delivery_id=NOBODY, session_id=NOBODY)
            alive = process.get("/health/liveness")
            yield SimpleNamespace(process=process, url=url, make=make, ready=ready, event=event, alive=alive)


NOBODY = "01890000-0000-7000-8000-000000000000"


def post_event(process, **ids):
    event = envelope.Event(
        id="event-1",
        source="/test",
        type="parley.response.ready",
        extensions={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
        body=envelope.dumps({**{name: str(value) for name, value in ids.items()}, "channel": "test"}),
    )
    headers, body = envelope.to_binary(event)
    with process.client() as client:
        return client.post("/", headers=headers, content=body)


def hold(process, threads):
    """Ask for what takes until /release; gives the answer to come, when the request is inside."""
    answer = threads.submit(process.get, "/hold")
    until(lambda: process.get("/inside").text == "1")
    return answer


def test_port_and_address_are_the_ones_of_the_environment(tiny):
    """It listens where it was told to, with as many threads, and says so."""
    got = tiny.get("/health/readiness")

    [said] = tiny.said("listening")
    assert (got.status_code, got.text) == (200, "OK")
    assert (said["port"], said["threads"]) == (tiny.port, 4)


def test_as_many_requests_as_threads_are_handled_at_once(tiny):
    """THREADS of them, and never one more; the others wait for their turn."""
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda _: tiny.get("/meet"), range(12)))

    assert [(got.status_code, got.text) for got in answers] == [(200, "met")] * 12
    assert tiny.get("/most").text == "4"


def test_large_request_is_taken(tiny):
    """All that is below 2 MiB."""
    with tiny.client() as client:
        got = client.post("/", content=b"x" * (LARGEST - 1))

    assert (got.status_code, got.text) == (200, str(LARGEST - 1))


def test_too_large_request_is_refused_by_its_length(tiny):
    """413 before the body has come, as a problem, and the function does not see it."""
    before = len(tiny.said("handled"))
    connection = http.client.HTTPConnection("127.0.0.1", tiny.port, timeout=30)

    connection.putrequest("POST", "/")
    connection.putheader("Content-Length", str(LARGEST + 1))
    connection.endheaders()
    got = connection.getresponse()

    assert (got.status, got.headers["Content-Type"]) == (413, "application/problem+json")
    assert envelope.loads(got.read()) == {
        "type": "urn:parley:problem:too-large", "title": "Request Entity Too Large", "status": 413,
    }  # fmt: skip
    connection.close()
    assert tiny.get("/health/liveness").status_code == 200
    assert len(tiny.said("handled")) == before


@pytest.mark.parametrize("pieces", [False, True], ids=["told", "in pieces"])
def test_who_is_still_sending_hears_why_it_is_refused(tiny, pieces):
    """Ten megabytes, more than any buffer on the way: not a broken pipe but 413; and then the connection ends."""
    body = b"x" * (10 << 20)
    with tiny.client() as client:
        got = client.post("/", content=(body[at : at + 65536] for at in range(0, len(body), 65536)) if pieces else body)

    assert (got.status_code, got.headers["Connection"]) == (413, "close")


def test_a_path_that_is_not_there_is_a_problem(tiny):
    """Of every function: no page of HTML for a program."""
    got = tiny.get("/slack/x")

    assert (got.status_code, got.headers["Content-Type"]) == (404, "application/problem+json")
    assert got.json() == {"type": "urn:parley:problem:not-found", "title": "Not Found", "status": 404}


def test_too_large_request_in_pieces_is_refused(tiny):
    """413 as well when nobody said beforehand how long it is."""
    connection = http.client.HTTPConnection("127.0.0.1", tiny.port, timeout=30)
    before = len(tiny.said("handled"))

    connection.request("POST", "/", iter([b"x" * (1 << 20)] * 2 + [b"x"]), {"Transfer-Encoding": "chunked"})
    got = connection.getresponse()

    assert got.status == 413
    connection.close()
    assert len(tiny.said("handled")) == before


def test_request_that_says_twice_how_long_it_is_is_refused(tiny):
    """What a proxy took for its body is no request of its own, and the connection ends (RFC 9112, 6.1)."""
    inner = b"GET /health/liveness HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", tiny.port), timeout=30) as connection:
        connection.sendall(head % (len(inner) + 5) + inner)
        got = b"".join(iter(lambda: connection.recv(1 << 16), b""))

    assert got.startswith(b"HTTP/1.1 400 ")
    assert got.count(b"HTTP/1.1") == 1


def test_bug_is_answered_and_tells_nobody_anything(tiny):
    """500 for the caller, without a text; class and place for the log, without a value."""
    inside, beside = tiny.get("/"), tiny.get("/fail")

    assert (inside.status_code, inside.content) == (500, b"")
    assert beside.status_code == 500
    assert SECRET not in inside.text + str(inside.headers) + beside.text + str(beside.headers)
    until(lambda: tiny.said("bug"))
    classes = {line["error"]["class"] for line in tiny.lines() if "error" in line}
    assert {"KeyError", "ValueError"} <= classes


def test_what_was_sent_is_not_logged(tiny):
    """Every line is a JSON object; none holds a body, a query, a header or a setting. Standard output is empty."""
    with tiny.client({"X-Word": "word-in-a-header"}) as client:
        client.post("/?word-in-a-query", content=b"word-in-a-body")
        client.get("/fail?word-in-a-query")
        client.get("/nowhere?word-in-a-query")

    until(lambda: any(line.get("status") == 200 for line in tiny.said("handled")))
    assert all({"time", "level", "logger", "message"} <= set(line) for line in tiny.lines())
    assert "word-in" not in tiny.errors()
    assert SECRET not in tiny.errors()
    assert tiny.output() == ""


def test_request_in_flight_is_finished(start):
    """
    After SIGTERM: not ready, but alive; what comes all the same is answered; the end is after the last answer.

    Then the exit status is 0, and the port is closed.
    """
    process = start(THREADS="4")

    with ThreadPoolExecutor(1) as threads:
        answer = hold(process, threads)
        before = process.get("/health/readiness").status_code
        process.signal(signal.SIGTERM)
        until(lambda: process.get("/health/readiness").status_code == 503)
        during = [process.get(path).status_code for _ in range(50) for path in ("/health/liveness", "/inside")]
        is_there = process.process.poll() is None
        released = process.get("/release").text
        got = answer.result(30)

    assert (before, set(during), is_there) == (200, {200}, True)
    assert (got.status_code, got.text, released) == (200, "held", "released")
    assert process.wait() == 0
    with pytest.raises(httpx.ConnectError):
        process.get("/health/liveness")
    assert [line["message"] for line in process.lines()][-1] == "stopped"
    assert not process.said("stopping with requests in flight")


def test_second_sigterm_cuts_nothing(start):
    """Whoever is impatient changes nothing: what is in flight is still finished."""
    process = start(THREADS="4")

    with ThreadPoolExecutor(1) as threads:
        answer = hold(process, threads)
        for _ in range(3):
            process.signal(signal.SIGTERM)
            until(lambda: process.get("/health/readiness").status_code == 503)
        process.get("/release")
        got = answer.result(30)

    assert (got.status_code, got.text) == (200, "held")
    assert process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_process_ends_by_a_signal(start, number):
    """With exit status 0 and without a traceback."""
    process = start()

    process.signal(number)

    assert process.wait() == 0
    assert [line["message"] for line in process.lines()] == ["listening", "stopped"]


def test_two_signals_at_one_moment_are_one(start):
    """A terminal sends SIGINT and then a host SIGTERM: the end in order, and nothing but our own lines."""
    process = start()

    for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
        process.signal(number)

    assert process.wait() == 0
    assert [line["message"] for line in process.lines()] == ["listening", "stopped"]


def test_port_that_is_taken_is_one_line(tiny):
    """Exit status 2; the line names the variable and the address."""
    done = python("-m", "parley.serve", TINY, SECRET=SECRET, ADDRESS="127.0.0.1", PORT=str(tiny.port))

    assert (done.returncode, done.stdout) == (2, "")
    [said] = done.stderr.splitlines()
    assert said.startswith(f"parley: PORT: cannot listen at 127.0.0.1:{tiny.port}: ")
    assert "already in use" in said


def test_request_that_waits_for_a_thread_is_finished(start):
    """What was accepted before SIGTERM is answered, also when no thread was free for it yet."""
    process = start(THREADS="1")

    with ThreadPoolExecutor(12) as threads:
        answers = [threads.submit(process.get, "/pause") for _ in range(12)]
        until(lambda: any(answer.done() for answer in answers))
        process.signal(signal.SIGTERM)
        got = [answer.result(30).text for answer in answers]

    assert got == ["paused"] * 12
    assert process.wait() == 0
    assert not process.said("stopping with requests in flight")


@pytest.fixture
def dispatcher():
    """waitress's, with one thread."""
    made = waitress.task.ThreadedTaskDispatcher()
    made.set_thread_count(1)
    yield made
    made.shutdown()


def test_drain_has_an_end(dispatcher):
    """A request that never ends holds the process only so long; it is known whether all were finished."""
    let_go = Event()
    for _ in range(2):
        dispatcher.add_task(SimpleNamespace(service=lambda: let_go.wait(30)))

    at_once = finished(dispatcher, 0)
    let_go.set()
    in_the_end = finished(dispatcher, 30)

    assert (at_once, in_the_end) == (False, True)


def test_what_comes_while_the_last_answer_is_flushed_is_waited_for(dispatcher):
    """Quiet once is not quiet."""
    looks = []

    class Queue(list):
        """waitress's queue; after the first look, something is in it."""

        def __bool__(self):
            looks.append(len(looks))
            return len(looks) == 2

    watched = SimpleNamespace(lock=dispatcher.lock, queue=Queue(), active_count=0)

    assert finished(watched, 30)
    assert len(looks) == 4


def test_request_that_fails_is_not_in_flight_for_ever(dispatcher):
    """An exception counts as an end."""
    dispatcher.add_task(SimpleNamespace(service=lambda: 1 / 0))

    assert finished(dispatcher, 30)


@pytest.mark.parametrize(
    ("folder", "settings", "line"),
    [
        (TINY, {}, "SECRET: required, not set"),
        (TINY, {"SECRET": SECRET, "PORT": "http"}, "PORT: must be a number"),
        (TINY, {"SECRET": SECRET, "ADDRESS": "203.0.113.1"}, "PORT: cannot listen at 203.0.113.1:8080: "),
        (TINY, {"SECRET": SECRET, "LOG_LEVEL": "loud"}, "LOG_LEVEL: must be one of DEBUG, INFO, WARNING, "),
        (TINY, {"SECRET": SECRET, "THREADS": "many"}, "THREADS: must be a number"),
        (TINY, {"SECRET": SECRET, "DRAIN_SECONDS": "-1"}, "DRAIN_SECONDS: must be a number from 0 to 86400"),
        (TINY, {"SECRET": SECRET, "PORT": "99999"}, "PORT: must be a number from 1 to 65535"),
        (TINY, {"SECRET": SECRET, "THREADS": "0"}, "THREADS: must be a number from 1 to 1000"),
        (TINY, {"SECRET": SECRET, "THREDS": "4"}, "THREDS: unknown variable; did you mean THREADS?"),
        (FUNCTIONS / "deliver-test", {"DATABSE_URL": SECRET}, "DATABSE_URL: unknown variable; did you mean"),
        (FUNCTIONS / "deliver-test", {"DATABASE_URL": SECRET}, "DATABASE_URL: is no PostgreSQL URL"),
        (FUNCTIONS / "slack-ingest", {"SLACK_SIGNING_SECRET": SECRET}, "EVENT_KEY: required, not set"),
    ],
    ids=lambda value: value.split(":")[0] if isinstance(value, str) else "",
)  # fmt: skip
def test_wrong_setting_is_one_line_that_names_it(folder, settings, line):
    """Exit status 2, no traceback, and no value: it may be secret."""
    done = python("-m", "parley.serve", folder, **settings)

    assert (done.returncode, done.stdout) == (2, "")
    [said] = done.stderr.splitlines()
    assert said.startswith(f"parley: {line}")
    assert SECRET not in said


def test_function_is_ready_when_it_can_work(start, postgres_server):
    """Alive at once, ready after the migrations, without a restart."""
    with fresh(postgres_server) as url:
        process = start(FUNCTIONS / "deliver-test", DATABASE_URL=url)
        before = [process.get(f"/health/{kind}").status_code for kind in ("readiness", "liveness")]
        migrate.apply(url)
        after = [process.get(f"/health/{kind}").status_code for kind in ("readiness", "liveness")]

    assert (before, after) == ([503, 200], [200, 200])
    [reason] = {line["error"]["text"] for line in process.said("not ready")}
    assert reason == "the database has no schema: run the migrations"


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("request-api", {"K_SINK": "http://127.0.0.1:9", "WEBHOOK_SIGNING_KEY": SECRET}),
        ("normalize", {"EVENT_KEY": SECRET, "SLACK_BOT_TOKEN": SECRET}),
    ],
)
def test_function_waits_for_the_columns_that_it_writes(start, postgres_server, database_template, name, settings):
    """Code that is there before its migration takes no request."""
    with fresh(postgres_server, database_template) as url:
        run(url, "delete from schema_migrations where version > 2")
        process = start(FUNCTIONS / name, DATABASE_URL=url, **settings)
        got = process.get("/health/readiness").status_code

    assert got == 503
    [line] = process.said("not ready")
    assert re.fullmatch(r"the schema is at 2, \d+ is needed: run the migrations", line["error"]["text"])


def test_readiness_that_hangs_leaves_a_thread_for_liveness(start):
    """However often readiness is asked for while the database is dead, nobody waits long, and liveness is answered."""
    process = start(FUNCTIONS / "deliver-test", DATABASE_URL=NOWHERE, THREADS="4")

    with ThreadPoolExecutor(16) as threads:
        asked = [threads.submit(httpx.get, process.url + "/health/readiness", timeout=5) for _ in range(16)]
        alive = httpx.get(process.url + "/health/liveness", timeout=2)  # as patient as a probe
        told = [answer.result().status_code for answer in asked]

    assert alive.status_code == 200
    assert told == [503] * 16


def test_function_works_and_tells_its_log_which_request(start, database_url, answered, rank):
    """An answer is delivered, the log has every id of it, and not a word of it; then it ends politely."""
    [due] = answered(rank("test", to="ann"), text=ANSWER, question=ANSWER[::-1])
    process = start(FUNCTIONS / "deliver-test", DATABASE_URL=database_url)

    ids = {"request_id": due.request_id, "delivery_id": due.delivery_id, "session_id": due.session_id}
    got = post_event(process, **ids)
    process.signal(signal.SIGTERM)

    assert process.wait() == 0
    assert got.status_code == 202
    assert run(database_url, "select state from deliveries") == [("delivered",)]
    [line] = process.said("handled")
    assert line["function"] == "deliver-test"
    assert (line["request_id"], line["session_id"]) == (str(due.request_id), str(due.session_id))
    assert (line["event_id"], line["event_type"]) == ("event-1", "parley.response.ready")
    assert (line["trace_id"], line["status"]) == ("0af7651916cd43dd8448eb211c80319c", 202)
    for word in (ANSWER, ANSWER[::-1], "Zwetschge", database_url):
        assert word not in process.errors() + process.output()


def test_dead_database_is_not_ready_but_alive(lonely, postgres_server):
    """503 for readiness and for events, which so come again; 200 for liveness; ready as soon as there is a database."""
    ready, event = lonely.ready.result(30), lonely.event.result(30)
    run(postgres_server, lonely.make)
    migrate.apply(lonely.url)
    after = lonely.process.get("/health/readiness")

    assert (lonely.alive.status_code, ready.status_code, event.status_code) == (200, 503, 503)
    assert (ready.text, event.content) == ("not ready", b"")
    assert event.headers["kne-reason"] == "the database cannot be used now"
    assert after.status_code == 200
