"""A real PostgreSQL in a temporary folder, run as an ordinary user: the tests' own, and gone afterwards.

PostgreSQL refuses to run as root, and CI is root: there it runs as the user ``postgres`` (or ``nobody``).
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_S = 30.0


def binaries() -> Path | None:
    """The newest installed server's programs."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if folders:  # Debian keeps them off the path
        return folders[-1]
    found = shutil.which("initdb")
    return None if found is None else Path(found).resolve().parent


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Postgres:
    """A running server. A context manager; `kill` and `start` play a crash and its end."""

    def __init__(self, *, options: tuple[str, ...] = (), parent: Path | None = None) -> None:
        programs = binaries()
        assert programs is not None, "PostgreSQL is not installed"
        self._programs = programs
        self._options = options
        self.folder = Path(tempfile.mkdtemp(prefix="atota-line-", dir=parent))
        self.data = self.folder / "data"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str, port: int | None = None) -> str:
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{database}"

    def __enter__(self) -> Self:
        self.folder.chmod(0o755)
        user = _user()
        if user is not None:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        options = (
            f"-p {self.port}",
            "-c listen_addresses=127.0.0.1",
            f"-c unix_socket_directories={self.folder}",
            "-c max_connections=60",
            *self._options,
        )
        command = [str(self._programs / "postgres"), "-D", str(self.data), *" ".join(options).split()]
        until = time.monotonic() + START_S
        while not (self._process is not None and self._process.poll() is None and self._answers()):
            assert time.monotonic() < until, (self.folder / "log").read_text()[-2000:]
            # A killed postmaster's last backends hold its shared memory for a moment: the next one gives up.
            if self._process is None or self._process.poll() is not None:
                with (self.folder / "log").open("ab") as log:
                    self._process = subprocess.Popen(
                        command,
                        stdout=log,
                        stderr=log,
                        stdin=subprocess.DEVNULL,
                        start_new_session=True,
                        **_as_user(),
                    )
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill postmaster and backends at once, as a power cut does."""
        if self._process is not None:
            # Its children die with it within a moment; a new postmaster waits for them.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Stop the server by itself, so that its files may be copied."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=START_S)
        self._process = None

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to postmaster and backends: SIGSTOP, SIGCONT."""
        assert self._process is not None
        for pid in self.pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def pids(self) -> list[int]:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return [self._process.pid, *map(int, children)]

    def sql(self, statement: str, *, database: str = "postgres") -> str:
        """Run SQL by psql, as another tool would; return its rows, columns parted by "|"."""
        ran = subprocess.run(
            [
                str(self._programs / "psql"),
                *(
                    "-X",
                    "-A",
                    "-t",
                    "-q",
                    "-v",
                    "ON_ERROR_STOP=1",
                    "-d",
                    self.url_of(database),
                    "-c",
                    statement,
                ),
            ],
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def dump(self, database: str, file: Path) -> None:
        with file.open("wb") as out:
            subprocess.run(
                [str(self._programs / "pg_dump"), "-Fc", "-d", self.url_of(database)],
                stdout=out,
                check=True,
                timeout=120,
            )

    def restore(self, database: str, file: Path) -> None:
        """Replace a database by a dump of it."""
        self.sql(f"DROP DATABASE {database} WITH (FORCE)")
        self.sql(f"CREATE DATABASE {database}")
        with file.open("rb") as dump:
            subprocess.run(
                [str(self._programs / "pg_restore"), "-d", self.url_of(database)],
                stdin=dump,
                check=True,
                timeout=120,
            )

    def _answers(self) -> bool:
        ran = subprocess.run(
            [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)], timeout=10
        )
        return ran.returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        ran = subprocess.run(
            [str(self._programs / program), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self.folder,
            **_as_user(),
        )
        assert ran.returncode == 0, ran.stderr


def _user() -> pwd.struct_passwd | None:
    """The user that a server of root's runs as; None: we are ordinary ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("there is no user to run PostgreSQL as")


def _as_user() -> dict[str, Any]:
    user = _user()
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid}
