"""README's first half hour, done by a shell in a fresh clone with an empty home.

The commands are those of README, unchanged and in its order. Those that serve (`sim server`, `sim module`)
go on in the background. The same half hour is then done under the conditions that people met: behind a proxy
that is not there, with a full disk under the data folder, and in a terminal. Each command has the exit code
that README names for it.
"""

import argparse
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from scripts.first_day_parts.readme import blocks, commands

ROOT = Path(__file__).resolve().parents[2]
FIRST, FAILS = "The first half hour: no hardware", "A job that fails, and how to read it"
OLD_VERSION = 12
LIMIT_S = 240.0
_SERVES = re.compile(r"atota sim (server|module) ")


class Step(NamedTuple):
    """A block of commands for one shell, and its exit code."""

    text: str
    expected: int = 0


class Site(NamedTuple):
    """A clone, the environment of a user who has set nothing, and how a shell is run there."""

    clone: Path
    environment: dict[str, str]
    has_terminal: bool = False

    def shell(self, text: str) -> tuple[int, str]:
        """Run ``text`` in bash; return its exit code and all that it printed."""
        if self.has_terminal:
            return _in_terminal(self, text)
        ran = subprocess.run(
            ["bash", "-ec", text],
            cwd=self.clone,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_S,
            check=False,
        )
        return ran.returncode, ran.stdout.decode(errors="backslashreplace")


def _in_terminal(site: Site, text: str) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-ec", text],
        cwd=site.clone,
        env=site.environment | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    output, deadline = b"", time.monotonic() + LIMIT_S
    while time.monotonic() < deadline and (process.poll() is None or select.select([ours], [], [], 0)[0]):
        if select.select([ours], [], [], 0.1)[0]:
            try:
                output += os.read(ours, 65536)
            except OSError:  # Linux: the last descriptor of the other side was closed
                break
    os.close(ours)
    return process.wait(10), output.decode(errors="backslashreplace")


@contextmanager
def serving(site: Site, text: str) -> Iterator[None]:
    """Run the commands that serve in the background, until the block ends; each is awaited at its port."""
    log = site.clone / "serving.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            ["bash", "-ec", f"exec {text}"],
            cwd=site.clone,
            env=site.environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    try:
        port = int(match[1]) if (match := re.search(r":(\d+)", text)) else 8080
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        else:
            raise SystemExit(f"{text}: does not serve:\n{log.read_text(errors='replace')}")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def half_hour(document: str) -> tuple[list[str], list[Step]]:
    """Return README's first half hour: the commands that serve, and the others in order."""
    serve = [one.text for one in commands(document) if one.heading == FIRST and _SERVES.match(one.text)]
    texts = {heading: text for heading, text in blocks(document) if not _SERVES.match(text)}
    prelude = texts[FIRST].splitlines()[0]
    return serve, [Step(texts[FIRST]), Step(f"{prelude}\n{texts[FAILS]}", OLD_VERSION)]


def live_through(site: Site, document: str) -> list[str]:
    """Do the first half hour once; return what is wrong with it."""
    shutil.rmtree(site.clone / "platform", ignore_errors=True)
    serve, steps = half_hour(document)
    problems = []
    with serving(site, serve[0]), serving(site, serve[1]):
        for step in steps:
            code, output = site.shell(step.text)
            if code != step.expected or "Traceback" in output:
                problems.append(f"exit {code}, not {step.expected}:\n{step.text}\n{output}")
    return problems


@contextmanager
def _full_disk(folder: Path) -> Iterator[Path | None]:
    """Mount a small file system and fill it; None where this user may not mount."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        with suppress(OSError):
            (folder / "filler").write_bytes(bytes(1 << 17))
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=False)


def _install(site: Site, document: str) -> list[str]:
    """Install as README says, in a virtual environment of the empty home; return the problems."""
    (line,) = (one.text for one in commands(document) if one.text.startswith("python3 -m venv"))
    code, output = site.shell(f"{line}\natota --version\natota --install-completion bash")
    return [] if code == 0 else [f"exit {code}: {line}\n{output}"]


def run(words: list[str]) -> int:
    """Do the first half hour under each condition; return 0 if all went as README says."""
    parser = argparse.ArgumentParser(prog="scripts/first-day", description=__doc__)
    parser.parse_args(words)
    document = (ROOT / "README.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="atota-first-day-") as name:
        folder = Path(name)
        subprocess.run(["git", "clone", "-q", str(ROOT), str(folder / "clone")], check=True)
        home = folder / "home"
        home.mkdir()
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().endswith("_PROXY") and not name.startswith(("ATOTA_", "XDG_", "VIRTUAL_ENV"))
        }
        environment |= {
            "HOME": str(home),
            "PATH": f"{home}/atota/bin:{environment['PATH']}",
            "COLUMNS": "100",
        }
        site = Site(folder / "clone", environment)
        conditions: dict[str, Callable[[], list[str] | None]] = {
            "install": lambda: _install(site, document),
            "without a terminal": lambda: live_through(site, document),
            "in a terminal": lambda: live_through(site._replace(has_terminal=True), document),
            "behind a dead proxy": lambda: live_through(_behind_dead_proxy(site), document),
            "with a full disk": lambda: _with_full_disk(site, folder / "full", document),
        }
        return _judge(conditions)


def _judge(conditions: dict[str, Callable[[], list[str] | None]]) -> int:
    is_broken = False
    for name, condition in conditions.items():
        begun = time.monotonic()
        problems = condition()
        verdict = (
            "skipped: this user may not mount"
            if problems is None
            else "; ".join(problems) or "as README says"
        )
        print(f"{name}: {verdict} ({time.monotonic() - begun:.0f} s)", flush=True)
        is_broken = is_broken or bool(problems)
    return 1 if is_broken else 0


def _behind_dead_proxy(site: Site) -> Site:
    dead = "http://127.0.0.1:9"
    return site._replace(
        environment=site.environment | {"HTTP_PROXY": dead, "HTTPS_PROXY": dead, "ALL_PROXY": dead}
    )


def _with_full_disk(site: Site, folder: Path, document: str) -> list[str] | None:
    with _full_disk(folder) as full:
        if full is None:
            return None
        journal = str(site.clone / "journal.sqlite3")
        more = {
            "XDG_DATA_HOME": str(full),
            "ATOTA_JOURNAL": journal,
            "ATOTA_TRANSCRIPT": str(full / "transcript"),
        }
        return live_through(site._replace(environment=site.environment | more), document)
