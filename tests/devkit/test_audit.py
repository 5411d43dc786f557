"""`make check` asks for known vulnerabilities: what it says when there are some, none, and nobody who knows."""

import datetime as dt
import json

import pytest

from devkit import audit
from devkit.serving import LocalServer, Reply, as_json

LOCK = "cloudevents==1.13.0 --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000\n"
KNOWN = {
    "id": "PYSEC-2026-1",
    "summary": "Made up",
    "affected": [{"package": {"ecosystem": "PyPI", "name": "cloudevents"}, "versions": ["1.13.0"], "ranges": []}],
}


def answer(request):
    """Be OSV that knows of one vulnerability."""
    asked = json.loads(request.body)
    return as_json({"vulns": [KNOWN]} if asked["package"]["name"] == "cloudevents" else {})


@pytest.fixture
def asked(tmp_path, capfd):
    """Give what asks, and the status and all that was said."""
    lock, exceptions = tmp_path / "lock", tmp_path / "exceptions"
    lock.write_text(LOCK, encoding="utf-8")

    def run(service, *more, excepting=""):
        exceptions.write_text(excepting, encoding="utf-8")
        where = ("--service", f"{service}/v1/query", "--lock", str(lock), "--exceptions", str(exceptions))
        status = audit.main([*where, *more])
        return status, "".join(capfd.readouterr())

    return run


def test_what_is_known_fails_until_it_may_wait(asked):
    """By pip-audit itself."""
    with LocalServer(answer) as service:
        failed = asked(service.url)
        waits = asked(service.url, excepting="# looked at\nPYSEC-2026-1 until 9999-12-31: nothing of ours calls it\n")

    assert failed[0] == 1
    assert "PYSEC-2026-1" in failed[1]
    assert waits[0] == 0


def test_nobody_who_knows_is_one_line_and_no_failure(asked):
    with LocalServer(lambda _: Reply(503)) as service:
        down = asked(service.url)
    gone = asked(service.url)
    must = asked(service.url, "--must")

    assert down == (
        0,
        "\033[33maudit: nobody was asked for vulnerabilities, 127.0.0.1 is out of reach (status 503)\033[0m\n",
    )
    assert gone[0] == 0
    assert "refused" in gone[1]
    assert gone[1].count("\n") == 1
    assert must == (1, gone[1])


def test_silence_is_not_waited_for(asked, monkeypatch):
    monkeypatch.setattr(audit, "PATIENCE", 0.05)
    with LocalServer(lambda _: Reply(breaks="hang")) as service:
        status, said = asked(service.url)

    assert status == 0
    assert "no answer" in said


def test_an_exception_ends_on_its_day_and_says_why():
    told = "A-1 until 2026-11-26: because\nB-2 until 2026-11-25: because\n"
    assert list(audit.excepted(told, dt.date(2026, 11, 26))) == ["A-1"]


@pytest.mark.parametrize(
    "line", ["A-1", "A-1 until tomorrow: because", "A-1 until 2026-11-26:", "A-1 until 2026-13-01: x"]
)
def test_an_exception_without_a_day_or_a_reason_fails(line, asked):
    status, said = asked("http://127.0.0.1:9", excepting=line)
    assert status == 1
    assert line in said or "month" in said
