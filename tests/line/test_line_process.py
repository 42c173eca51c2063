"""The line as its users run it: `atota line …` as processes, a real PostgreSQL, HTTP with nothing of ours."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from atota.clock import SystemClock
from atota.line.client import LineClient, LineKey
from atota.line.outbox import Outbox
from tests.line.postgres import Postgres
from tests.line.servers import call, sent
from tests.line.stations import imei_of, journal_in, write

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
    def serving(self, *options: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "atota", "line", "serve", "--listen", "127.0.0.1:0", *options, "--json"],
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


def test_rebuild_waits_until_the_stations_have_sent_everything_again(
    cli: Cli, postgres: Postgres, folder: Path
) -> None:
    name = cli.environment["ATOTA_DATABASE"].rpartition("/")[2]
    cli.run("init")
    key = LineKey(cli.run("station", "add", "st-1")["key"])
    results: list[dict[str, Any]] = []
    with cli.serving() as (url, _), journal_in(folder) as journal:
        client = LineClient(url, key, clock=SystemClock())
        outbox = Outbox(client, journal, clock=SystemClock())
        for number in range(70):
            write(journal, number)
        sent(outbox)
        postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")
        postgres.sql(f"CREATE DATABASE {name}")
        thread = threading.Thread(target=lambda: results.append(cli.run("rebuild", "st-1")))
        thread.start()
        while thread.is_alive():
            outbox.step()
            thread.join(0.2)
        client.close()
        (result,) = results
        assert (result["records"], result["stations"]) == (70, ["st-1"])
        assert call(url, "GET", f"/v1/units/{imei_of(3)}", key=key.header()[7:])[1]["state"] == "done"


def test_the_demo_shows_a_page_with_three_stations_at_work(postgres: Postgres) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "scripts.line_demo_parts.demo", "--listen", "127.0.0.1:0", "--seconds", "60"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert demo.stdout is not None
    try:
        (url,) = re.findall(r"http://[\d.:]+/", demo.stdout.readline())
        text = ""
        while text.count('data-state="live"') < 3 or "B-2026-118" not in text:
            with urllib.request.urlopen(url, timeout=20) as response:
                text = response.read().decode()
            assert demo.poll() is None
        assert text.count("data-station=") == 3
    finally:
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=60)
    assert demo.returncode == 0


def test_a_server_with_a_certificate_is_reached_by_https(cli: Cli, tmp_path: Path, folder: Path) -> None:
    certificate, private = tmp_path / "line.pem", tmp_path / "line.private"
    made = subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-days", "1", "-subj", "/CN=line", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(private), "-out", str(certificate)),
        ],
        capture_output=True,
        timeout=30,
    )
    assert made.returncode == 0, made.stderr
    cli.run("init")
    key = LineKey(cli.run("station", "add", "st-1")["key"])
    options = ("--tls-certificate", str(certificate), "--tls-key", str(private))
    with cli.serving(*options) as (url, _), journal_in(folder) as journal:
        assert url.startswith("https://")
        client = LineClient(url, key, clock=SystemClock(), ca_file=certificate)
        write(journal, 1)
        sent(Outbox(client, journal, clock=SystemClock()))
        client.close()
    assert cli.run("serve", "--tls-key", str(private), code=2)["error"]["code"] == "usage"
    error = cli.run(
        "serve", *options[:2], "--tls-key", str(tmp_path / "none"), "--listen", "127.0.0.1:0", code=3
    )
    assert "certificate" in error["error"]["message"]
