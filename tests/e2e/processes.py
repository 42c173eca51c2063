"""Real `atota` processes whose JSON Lines can be awaited; every wait is bounded, every process ends."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Self

import pytest

from atota.sim.package import build_package

ROOT = Path(__file__).parents[2]
LIMIT_S = 50.0
Event = dict[str, Any]
_KEY = "b2J2aW91c2x5IGEgZmFrZSBrZXk="
_TASKS = f"""
[auth]
product_id = "1000"
access_key = "{_KEY}"

[[device]]
dev_id = "6523"

[[task]]
dev_id = "6523"
manuf = "014"
model = "01401"
package = "p.bin"
target = "BC28JAR01A05"
"""


def environment(folder: Path) -> dict[str, str]:
    """The environment of somebody who has set nothing; whatever is cached goes into ``folder``."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ATOTA_")}
    homes = {
        name: str(folder / name) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    }
    return clean | homes | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONWARNINGS": "error"}


class Atota:
    """One running `atota ... --json`."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.events: list[Event] = []
        self.errors = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "atota", *words, "--json"],
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._threads = [
            threading.Thread(target=self._read_out, args=(self._process.stdout,)),
            threading.Thread(target=self._read_err, args=(self._process.stderr,)),
        ]
        for thread in self._threads:
            thread.start()

    def _read_out(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put(None)

    def _read_err(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.errors += line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(LIMIT_S)

    def wait_for(self, wanted: Callable[[Event], bool]) -> Event:
        """The next event that is wanted; the test fails if the program ends without it."""
        while (line := self._lines.get(timeout=LIMIT_S)) is not None:
            event: Event = json.loads(line)
            self.events.append(event)
            if wanted(event):
                return event
        pytest.fail(f"it ended without the event: {self.events[-1:]} {self.errors}")

    def wait_for_stage(self, stage: str) -> Event:
        """The begin of a stage."""
        return self.wait_for(lambda event: event.get("stage") == stage and event.get("state") == "started")

    def wait_for_written(self, share: float) -> Event:
        """The moment in which so much of the package is in the slot."""
        return self.wait_for(
            lambda event: (
                event["event"] == "progress"
                and event["stage"] == "write"
                and event["done"] >= share * event["total"]
            )
        )

    def end(self) -> tuple[int, Event]:
        """Wait for its end: the exit code and the result."""
        result = self.wait_for(lambda event: event["event"] == "result")
        assert self._lines.get(timeout=LIMIT_S) is None, "something came after the result"
        code = self._process.wait(LIMIT_S)
        assert "Traceback" not in self.errors, self.errors
        assert result["exit_code"] == code
        return code, result

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self._process.kill()
        self._process.wait(LIMIT_S)


class Bench:
    """The first two terminals of the README: a platform and a module; and the third one at will."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self.platform_folder = folder / "platform"

    def start(self, *words: str) -> Atota:
        """Start any command."""
        return self._stack.enter_context(Atota(self.folder, *words))

    def make_platform(self, size: int) -> None:
        """What ``--init`` makes, with a smaller package."""
        self.platform_folder.mkdir()
        package = build_package(model="BC28", base="BC28JAR01A03", target="BC28JAR01A05", size=size)
        (self.platform_folder / "p.bin").write_bytes(package)
        (self.platform_folder / "access-key").write_text(_KEY)
        (self.platform_folder / "tasks.toml").write_text(_TASKS)

    def serve_platform(self, *more: str) -> tuple[Atota, str]:
        """`atota sim server`, and its URL."""
        words = ("sim", "server", str(self.platform_folder), "--port", "0", *more)
        server = self.start(*words, *(() if self.platform_folder.exists() else ("--init",)))
        return server, str(server.wait_for(lambda event: event["event"] == "ready")["url"])

    def serve_module(self, *more: str, model: str = "BC28") -> tuple[Atota, str]:
        """`atota sim module`, and its port."""
        module = self.start("sim", "module", model, *more)
        return module, str(module.wait_for(lambda event: event["event"] == "ready")["port"])

    def update(self, port: str, url: str, *more: str) -> Atota:
        """`atota update`, as the README writes it."""
        key = str(self.platform_folder / "access-key")
        asking = ("--server", url, "--dev-id", "6523", "--product-id", "1000", "--access-key-file", key)
        return self.start("update", "--port", port, "--yes", *asking, *more)


@contextlib.contextmanager
def bench_in(folder: Path) -> Iterator[Bench]:
    """A bench whose processes all end with the block."""
    with contextlib.ExitStack() as stack:
        yield Bench(folder, stack)
