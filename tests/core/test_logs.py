"""Log lines: one JSON object each, with the ids of what is being handled, and nothing that was said or is secret."""

import io
import json
import logging
import threading

import pytest
from processes import python

from parley import logs
from parley.errors import Malformed, Misconfigured, Rejected, Unavailable

SECRET = "hunter2-the-password"
# What libraries write at their usual levels, and what we write.
NOISE = """
import logging, sys
from parley import logs
logs.start(sys.argv[1])
for name in ("waitress.queue", "httpx", "parliament.server", "psycopg.pool", "parley"):
    for level in ("debug", "info", "warning", "error"):
        getattr(logging.getLogger(name), level)("%s says %s", name, level)
print("an answer")
"""


@pytest.fixture
def logged():
    """A logger, and a function that gives what it has written: text, and lines."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    log = logging.getLogger("parley.test")
    log.addHandler(handler)
    log.setLevel(logging.INFO)

    def read():
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    read.text = stream.getvalue
    yield log, read
    log.removeHandler(handler)


def raised(error, cause=None):
    """The error, as it is after it was raised."""
    with pytest.raises(type(error)) as caught:
        fail(error, cause)
    return caught.value


def fail(error, cause):
    raise error from cause


def test_line_says_when_who_and_what(logged):
    """Time in UTC, level, logger, the message with its arguments, and the fields."""
    log, read = logged

    log.warning("took %d steps", 3, extra={"fields": {"status": 202, "duration_ms": 1.5}})

    [line] = read()
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning", "logger": "parley.test", "message": "took 3 steps", "status": 202, "duration_ms": 1.5,
    }  # fmt: skip


def test_message_of_many_lines_is_one_line(logged):
    """Whoever collects the log reads it line by line."""
    log, read = logged

    log.info("one\ntwo\r\n\u2028three \x00")

    assert read.text().count("\n") == 1
    assert read()[0]["message"] == "one\ntwo\r\n\u2028three \x00"


def test_value_that_is_no_json_becomes_text(logged):
    """A field can be anything; a line is never lost."""
    log, read = logged

    log.info("x", extra={"fields": {"path": object, "many": {1}}})

    assert read()[0]["path"] == str(object)


def test_ids_are_on_every_line_inside(logged):
    """What is bound is on each line until the end of the block; the inner block adds to the outer one."""
    log, read = logged

    log.info("before")
    with logs.bound(function="f", event_id="e"):
        log.info("outer")
        with logs.bound(request_id="r", event_id="inner"):
            log.info("inner")
        log.info("outer again")
    log.info("after")

    kept = ("function", "event_id", "request_id")
    assert [{name: line[name] for name in kept if name in line} for line in read()] == [
        {}, {"function": "f", "event_id": "e"}, {"function": "f", "event_id": "inner", "request_id": "r"},
        {"function": "f", "event_id": "e"}, {},
    ]  # fmt: skip


def test_ids_that_are_known_later_are_added(logged):
    """After a row was read, its ids are on all further lines of this block, and on none after it."""
    log, read = logged

    with logs.bound(function="f"):
        log.info("early")
        logs.bind(request_id=7, trace_id=None)
        log.info("late")
    log.info("after")

    assert [line.get("request_id") for line in read()] == [None, "7", None]
    assert not any("trace_id" in line for line in read())


def test_nothing_is_bound_outside_of_a_block(logged):
    """Ids of one request never stick to the thread."""
    log, read = logged

    logs.bind(request_id="r")
    log.info("x")

    assert "request_id" not in read()[0]


def test_ids_are_gone_after_an_exception(logged):
    """A block that fails ends like any other."""
    log, read = logged

    with pytest.raises(KeyError), logs.bound(request_id="r"):
        raise KeyError
    log.info("x")

    assert "request_id" not in read()[0]


def test_threads_do_not_share_ids(logged):
    """Each request has its own, however many are handled at once."""
    log, read = logged
    barrier = threading.Barrier(4)

    def handle(number):
        with logs.bound(function="f"):
            logs.bind(request_id=number)
            barrier.wait(20)
            log.info("from %s", number)

    threads = [threading.Thread(target=handle, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted((line["message"], line["request_id"]) for line in read()) == [
        (f"from {n}", str(n)) for n in range(4)
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [Rejected, Malformed, Unavailable, Misconfigured])
def test_our_own_error_is_told(logged, kind):
    """Its text is written by us: it says what to do."""
    log, read = logged

    log.warning("x", exc_info=raised(kind("run the\nmigrations")))

    [line] = read()
    assert (line["error"]["class"], line["error"]["text"]) == (kind.__name__, "run the\nmigrations")


def test_foreign_error_is_its_class_and_place(logged):
    """Libraries put values into their texts, so no text of theirs is written, only where it was raised."""
    log, read = logged

    log.error("x", exc_info=raised(ValueError(SECRET)))

    [line] = read()
    assert (line["error"]["class"], "text" in line["error"]) == ("ValueError", False)
    assert line["error"]["where"][-1].endswith(" fail")
    assert __file__ in line["error"]["where"][-1]
    assert SECRET not in read.text()


def test_causes_are_told_in_the_same_way(logged):
    """From our error down to what began it, each with its own rule."""
    log, read = logged
    middle = raised(ConnectionError(SECRET), raised(Unavailable("not now")))

    log.error("x", exc_info=raised(Unavailable("the database cannot be used now"), middle))

    error = read()[0]["error"]
    assert (error["text"], error["cause"]["class"]) == ("the database cannot be used now", "ConnectionError")
    assert error["cause"]["cause"]["text"] == "not now"
    assert "text" not in error["cause"]
    assert SECRET not in read.text()


def test_error_from_deep_down_has_a_short_place(logged):
    """The last six frames: a recursion does not fill the log."""
    log, read = logged

    def fall(depth):
        if not depth:
            raise KeyError(SECRET)
        fall(depth - 1)

    try:
        fall(100)
    except KeyError:
        log.exception("x")

    assert len(read()[0]["error"]["where"]) == 6


def test_process_writes_to_standard_error_and_only_what_matters():
    """From INFO on; libraries that tell of each request are quieter; standard output stays for answers."""
    done = python("-c", NOISE, "info")

    said = [json.loads(line)["message"] for line in done.stderr.splitlines()]
    assert done.stdout == "an answer\n"
    assert said == [
        "waitress.queue says error", "httpx says warning", "httpx says error", "parliament.server says error",
        "psycopg.pool says error",
        "parley says info", "parley says warning", "parley says error",
    ]  # fmt: skip


def test_level_can_be_chosen():
    """Only errors, when only errors are wanted, from whomever."""
    done = python("-c", NOISE, "ERROR")

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["level"] for line in lines} == {"error"}
    assert {line["logger"] for line in lines} >= {"httpx", "psycopg.pool", "parley"}


@pytest.mark.parametrize("level", ["loud", "", "10"])
def test_level_that_is_none_is_told(level):
    """The variable and what it may be."""
    with pytest.raises(Misconfigured, match="LOG_LEVEL: must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"):
        logs.start(level)
