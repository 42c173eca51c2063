"""The whole program in this process: arguments in, exit code and both streams out."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atota.cli.run import main
from atota.otaserver import model
from atota.otaserver.serve import RunningServer
from atota.otaserver.service import LocalPlatform
from tests.cli.running import KEY, PACKAGE, TARGET, Bench, Cli, Ran


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Run the program as if from a shell, with no settings but the ones given."""
    for name in os.environ:
        if name.startswith("ATOTA_") or name in ("FORCE_COLOR", "GITHUB_ACTIONS"):
            monkeypatch.delenv(name)
    for name, value in {
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "TERM": "xterm",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("atota.ota.waiting.BACK_OFF_S", (0.0,))

    def run(*words: object, **env: str) -> Ran:
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
            for name, value in env.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["atota", *map(str, words)])
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setattr(sys, "stdin", io.StringIO())
            main()
        code = ended.value.code
        return Ran(code if isinstance(code, int) else 0 if code is None else 1, _text(out), _text(err))

    return run


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Serve a platform; ``faults`` by name, ``task`` changes the task."""
    running: list[RunningServer] = []

    def make(faults: str = "", package: bytes = PACKAGE, **task: Any) -> Bench:
        spec = {"dev_id": "6523", "manuf": "014", "model": "01401", "package": "p.bin", "target": TARGET}
        tasks = model.TasksFile(
            auth=model.Auth(product_id="1000", access_key=KEY),
            devices=(model.Device(dev_id="6523"), model.Device(dev_id="7")),
            tasks=(model.TaskSpec(**(spec | task)),),
        )
        server = RunningServer(LocalPlatform(model.build(tasks, {"p.bin": package}), faults=faults))
        running.append(server.__enter__())
        return Bench(server)

    yield make
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """A platform that does as it should."""
    return make_bench()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package's file."""
    path = tmp_path / "p.bin"
    path.write_bytes(PACKAGE)
    return path
