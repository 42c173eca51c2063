"""The line as its users run it: `atota line …` as processes, a real PostgreSQL, HTTP with nothing of ours."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.line.postgres import Postgres
from tests.line.servers import call
from tests.line.stations import imei_of

ROOT = Path(__file__).resolve().parents[2]


class Cli:
    """The command line against one database."""

    def __init__(self, url: str, home: Path) -> None:
        self.environment = {
            **os.environ,
            "ATOTA_DATABASE": url,
            "HOME": str(home),
            "XDG_STATE_HOME": str(home),
            "PYTHONPATH": str(ROOT),
        }

    def run(self, *arguments: str, code: int = 0, stdin: str = "") -> dict[str, Any]:
        ran = subprocess.run(
            [sys.executable, "-m", "atota", "line", *arguments, "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            input=stdin,
            env=self.environment,
        )
        assert ran.returncode == code, ran.stderr
        result: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
        assert result["event"] == "result"
        return result

    @contextmanager
    def serving(self, listen: str = "127.0.0.1:0") -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "atota", "line", "serve", "--listen", listen, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            first = process.stdout.readline()
            assert first, process.stderr.read()
            event = json.loads(first)
            assert event["event"] == "listening"
            yield event["url"], process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


@pytest.fixture
def cli(postgres: Postgres, tmp_path: Path) -> Iterator[Cli]:
    name = f"cli_{os.getpid()}_{abs(hash(tmp_path)) % 10**8}"
    postgres.sql(f"CREATE DATABASE {name}")
    yield Cli(postgres.url_of(name), tmp_path)
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


def test_from_an_empty_database_to_a_yield(cli: Cli) -> None:
    made = cli.run("init")
    assert made["version"] >= 1
    assert cli.run("init")["version_before"] == cli.run("migrate")["version"] == made["version"]
    key = cli.run("station", "add", "st-07")["key"]
    records = [
        {"imei": imei_of(1), "outcome": "updated", "batch": "B"},
        {"imei": imei_of(2), "outcome": "write-failed", "batch": "B", "error": {"code": "write"}},
        {"imei": imei_of(2), "outcome": "updated", "batch": "B"},
        {"imei": imei_of(3), "outcome": "old-version", "batch": "B"},
        {"imei": imei_of(4), "outcome": "port", "batch": "B"},
        {"imei": imei_of(1), "outcome": "updated", "batch": "other"},
    ]
    with cli.serving() as (url, _):
        status, answer = call(
            url, "POST", "/v1/journals/j/records", {"first_seq": 1, "records": records}, key=key
        )
        assert (status, answer["next_seq"]) == (200, 7)
        assert call(url, "GET", f"/v1/units/{imei_of(1)}", key=key)[1]["state"] == "done"
        batch = cli.run("yield", "--batch", "B")["batch"]
    assert (batch["units"], batch["passed"], batch["failed"], batch["retested"]) == (3, 2, 1, 1)
    assert batch["first_pass_yield"] == pytest.approx(1 / 3)
    assert batch["pareto"] == [
        {"key": "-:old-version:-", "count": 1},
        {"key": "-:write-failed:write", "count": 1},
    ]


def test_a_server_without_tables_or_database_says_what_to_do(cli: Cli, postgres: Postgres) -> None:
    error = cli.run("station", "add", "st-1", code=3)["error"]
    assert "atota line init" in error["hint"]
    cli.environment["ATOTA_DATABASE"] = postgres.url_of("missing")
    error = cli.run("init", code=3)["error"]
    assert "createdb" in error["hint"]
    cli.environment["ATOTA_DATABASE"] = "postgresql://u:secret-word@127.0.0.1:1/x"
    error = cli.run("init", code=8)["error"]
    assert "secret-word" not in json.dumps(error)
    del cli.environment["ATOTA_DATABASE"]
    assert "--database" in cli.run("init", code=2)["error"]["hint"]
