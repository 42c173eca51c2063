"""The line: records a second, a hundred stations, a shift that comes late, faults, ten million records.

A real PostgreSQL in a temporary folder and `atota line serve` as a process. Parts: rate, stations, catch-up,
faults, queries; `--only` chooses one. The goals are those of the line's page in README.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from atota.clock import SystemClock
from atota.errors import AtotaError
from atota.journal import chain
from atota.journal.store import Journal
from atota.line.client import JournalRefused, LineClient, LineKey
from atota.line.outbox import Outbox
from atota.line.protocol import Batch, Presence
from atota.line.store import Store
from atota.line.tables import figures, schema, stations
from tests.line.postgres import Postgres, free_port
from tests.line.stations import write

BATCH = 64
STATIONS, LANES, JOB_S = 100, 64, 180.0
SHIFT = 10_240
GOALS = {
    "rate": "≥ 5000 records/s",
    "stations": "p99 ≤ 100 ms, ≤ 40 % of a core",
    "catch-up": "≤ 5 s",
    "faults": "each record once",
    "queries": "serial ≤ 20 ms, yield and Pareto ≤ 500 ms",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", choices=sorted(GOALS), help="one part")
    parser.add_argument("--seconds", type=float, default=15.0, help="length of a measurement (default 15)")
    parser.add_argument("--records", type=int, default=100_000, help="of the part faults (default 100,000)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the part queries (default 1,000,000)")


def run(arguments: argparse.Namespace) -> int:
    parts: dict[str, Callable[[Bench, argparse.Namespace], tuple[str, bool]]] = {
        "rate": rate,
        "stations": hundred_stations,
        "catch-up": catch_up,
        "faults": faults,
        "queries": queries,
    }
    is_good = True
    with Postgres() as postgres, tempfile.TemporaryDirectory() as home:
        for name, part in parts.items():
            if arguments.only not in (None, name):
                continue
            with Bench.on(postgres, name.replace("-", "_"), Path(home)) as bench:
                text, is_reached = part(bench, arguments)
            print(f"{name:9} {text}  (goal: {GOALS[name]}){'' if is_reached else '  MISSED'}", flush=True)
            is_good &= is_reached
    return 0 if is_good else 1


class Bench:
    """A database with the line's tables, and its server."""

    def __init__(self, postgres: Postgres, name: str, home: Path) -> None:
        self.postgres = postgres
        self.url = postgres.url_of(name)
        self.port = free_port()
        self._home = home
        self.server: subprocess.Popen[str] | None = None

    @classmethod
    @contextmanager
    def on(cls, postgres: Postgres, name: str, home: Path) -> "Iterator[Bench]":
        postgres.sql(f"CREATE DATABASE {name}")
        made = cls(postgres, name, home)
        with made.store() as store:
            schema.migrate(store)
        made.start()
        try:
            yield made
        finally:
            made.kill()
            postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")

    def store(self) -> Store:
        return Store(self.url, clock=SystemClock())

    def start(self) -> None:
        self.server = subprocess.Popen(
            [
                *(sys.executable, "-m", "atota", "line", "serve", "--json"),
                *("--database", self.url, "--listen", f"127.0.0.1:{self.port}"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "HOME": str(self._home)},
        )
        assert self.server.stdout is not None
        assert "listening" in self.server.stdout.readline()

    def kill(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server.communicate()

    def client(self, name: str) -> LineClient:
        with self.store() as store, store.transaction() as session:
            key = stations.add(session, name)
        return LineClient(f"http://127.0.0.1:{self.port}", LineKey(key), clock=SystemClock())

    def busy_s(self) -> float:
        """CPU seconds of the server and of PostgreSQL's processes."""
        assert self.server is not None
        pids = {self.server.pid, *self.postgres.pids()}
        ticks = 0
        for pid in pids:
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


class Sender:
    """A journal's records without a journal: made as they are sent, their chain counted on this side."""

    def __init__(self, client: LineClient, name: str, number: int) -> None:
        self.client = client
        self.name = name
        self.next = 1
        self.head = ""
        self.base = number * 10_000_000
        self._heads = {0: ""}

    def batch(self, size: int) -> Batch:
        records = [msgspec.Raw(document(self.base + self.next + index)) for index in range(size)]
        return Batch(first_seq=self.next, records=records, previous=self.head, time=time.time())

    def took(self, batch: Batch) -> None:
        for raw in batch.records:
            self.head = chain.digest(self.head, bytes(raw))
        self.next += len(batch.records)


def document(number: int) -> bytes:
    """A record of the size that a station's has, about 1.1 KB."""
    record = {
        "id": f"{number:032x}-1",
        "outcome": "updated" if number % 25 else "write-failed",
        "exit_code": 0 if number % 25 else 9,
        "started_at": "2026-11-28T08:00:00.000Z",
        "ended_at": "2026-11-28T08:03:00.000Z",
        "duration_ms": 180_000 + number % 5000,
        "imei": f"{490_000_000_000_000 + number:015d}",
        "serial": f"MPA{number:012d}",
        "version_before": "BC28JAR01A03",
        "version_after": "BC28JAR01A05",
        "station": {
            "name": "st-1",
            "lane": number % LANES,
            "batch": f"B-{number // 75_600}",
            "serial": f"SN{number:09d}",
        },
        "stages": [
            {
                "stage": stage,
                "state": "done",
                "at": "2026-11-28T08:00:00.000Z",
                "elapsed_ms": 12_345,
                "detail": "",
            }
            for stage in ("open", "identify", "check", "download", "write", "validate", "reboot", "confirm")
        ],
        "error": None
        if number % 25
        else {"code": f"write.{number % 4}", "message": "the module refuses a block"},
    }
    return msgspec.json.encode(record)


def rate(bench: Bench, arguments: argparse.Namespace) -> tuple[str, bool]:
    senders = [Sender(bench.client(f"st-{n}"), f"j-{n}", n) for n in range(4)]
    prepared = [[document(sender.base + n) for n in range(1, 12_000)] for sender in senders]
    until = time.monotonic() + arguments.seconds
    counts = [0] * len(senders)

    def send(index: int) -> None:
        sender, records = senders[index], prepared[index]
        while time.monotonic() < until and counts[index] + BATCH < len(records):
            first = counts[index]
            raws = [msgspec.Raw(one) for one in records[first : first + BATCH]]
            sender.client.send(sender.name, Batch(first_seq=first + 1, records=raws))
            counts[index] += BATCH

    began, busy = time.monotonic(), bench.busy_s()
    in_threads(send, range(len(senders)))
    per_s = sum(counts) / (time.monotonic() - began)
    cpu_us = 1e6 * (bench.busy_s() - busy) / sum(counts)
    text = f"{per_s:,.0f} records/s over HTTP in batches of {BATCH}, {cpu_us:.0f} us of CPU for each"
    return f"{text} in server and PostgreSQL", per_s >= 5000


def hundred_stations(bench: Bench, arguments: argparse.Namespace) -> tuple[str, bool]:
    """Each station has a sign of life every five seconds, and 64 records in each three minutes."""
    clients = [bench.client(f"st-{n:03}") for n in range(STATIONS)]
    senders = [Sender(client, f"j-{n}", n) for n, client in enumerate(clients)]
    for client in clients:
        client.presence(Presence(lanes=LANES))
    took: list[float] = []
    until = time.monotonic() + arguments.seconds
    began, busy = time.monotonic(), bench.busy_s()

    def work(few: int) -> None:
        group = senders[few::10]
        per_station = LANES / JOB_S
        chance = random.Random(few)  # noqa: S311 - a schedule
        next_at = {sender.name: time.monotonic() + chance.expovariate(per_station) for sender in group}
        seen_at = {sender.name: time.monotonic() + chance.uniform(0, 5) for sender in group}
        while (now := time.monotonic()) < until:
            for sender in group:
                if next_at[sender.name] <= now:
                    batch = sender.batch(1)
                    start = time.monotonic()
                    sender.client.send(sender.name, batch)
                    took.append(time.monotonic() - start)
                    sender.took(batch)
                    next_at[sender.name] += chance.expovariate(per_station)
                if seen_at[sender.name] <= now:
                    sender.client.presence(Presence(lanes=LANES))
                    seen_at[sender.name] += 5
            threading.Event().wait(0.01)

    in_threads(work, range(10))
    share = (bench.busy_s() - busy) / (time.monotonic() - began)
    cuts = statistics.quantiles(took, n=100)
    text = f"{len(took) / (time.monotonic() - began):.0f} records/s, sync p50 {1000 * cuts[49]:.1f} ms,"
    text += f" p99 {1000 * cuts[98]:.1f} ms, PostgreSQL and server {100 * share:.0f} % of a core"
    return text, cuts[98] <= 0.1 and share <= 0.4


def catch_up(bench: Bench, _arguments: argparse.Namespace) -> tuple[str, bool]:
    clock = SystemClock()
    with (
        tempfile.TemporaryDirectory(dir="/dev/shm") as folder,
        Journal(Path(folder) / "journal.sqlite3", clock=clock) as journal,
    ):
        for number in range(SHIFT):
            write(journal, number)
        outbox = Outbox(bench.client("st-1"), journal, clock=clock)
        began = time.monotonic()
        while outbox.step() == 0:
            pass
        seconds = time.monotonic() - began
        assert outbox.status.waiting == 0, outbox.status
    return f"{SHIFT:,} records of an outage of eight hours in {seconds:.1f} s", seconds <= 5


def faults(bench: Bench, arguments: argparse.Namespace) -> tuple[str, bool]:
    senders = [Sender(bench.client(f"st-{n}"), f"j-{n}", n) for n in range(4)]
    each = arguments.records // len(senders)
    over = threading.Event()
    kills = [0, 0]

    def send(index: int) -> None:
        sender, chance = senders[index], random.Random(index)  # noqa: S311 - a schedule
        while sender.next <= each:
            batch = sender.batch(min(BATCH, each + 1 - sender.next))
            while True:
                try:
                    for _ in range(chance.choice((1, 1, 1, 2))):  # doubled
                        sender.client.send(sender.name, batch)
                    if chance.random() < 0.1:  # the answer is lost: the same again
                        continue
                    break
                except JournalRefused as refusal:
                    if refusal.is_fork or refusal.next_seq != sender.next:
                        raise  # what was confirmed is lost
                except AtotaError:
                    over.wait(0.1)
            sender.took(batch)

    def kill() -> None:
        chance = random.Random(7)  # noqa: S311 - a schedule
        while not over.wait(chance.uniform(1, 4)):
            if chance.random() < 0.5:
                kills[0] += 1
                bench.postgres.kill()
                bench.postgres.start()
            else:
                kills[1] += 1
                bench.kill()
                bench.start()

    killer = threading.Thread(target=kill)
    killer.start()
    in_threads(send, range(len(senders)))
    over.set()
    killer.join()
    with bench.store() as store, store.transaction(limit_ms=600_000) as session:
        rows = session.value("SELECT count(*) FROM line.record")
        distinct = session.value("SELECT count(DISTINCT (journal, seq)) FROM line.record")
        heads: dict[str, str] = dict(session.rows("SELECT id, head FROM line.journal"))
    is_once = rows == distinct == each * len(senders) and heads == {one.name: one.head for one in senders}
    text = f"{rows:,} records stored once, {kills[0]} kills of PostgreSQL, {kills[1]} of the server"
    return text, is_once


def queries(bench: Bench, arguments: argparse.Namespace) -> tuple[str, bool]:
    """Look for one of all records, and for the yields of an ordinary batch and of one with a tenth of all."""
    rows, large = arguments.rows, arguments.rows // 10
    with bench.store() as store:
        began = time.monotonic()
        bench.postgres.sql("ALTER TABLE line.record SET UNLOGGED", database="queries")  # reads are the same
        load(store, rows, large)
        bench.postgres.sql("VACUUM ANALYZE line.record", database="queries")  # as autovacuum does
        loaded_s = time.monotonic() - began
        number = rows // 2
        serial_ms = timed(store, lambda session: figures.history(session, f"SN{number:09d}"))
        yield_ms = timed(store, lambda session: figures.batch_figures(session, f"B-{number // 75_600}"))
        large_ms = timed(store, lambda session: figures.batch_figures(session, "B-large"))
        with store.transaction() as session:
            table, indexes = session.rows(
                "SELECT pg_table_size('line.record'), pg_indexes_size('line.record')"
            )[0]
    text = f"{rows:,} records: a serial number {serial_ms:.1f} ms, yield and Pareto of 75,600 units"
    text += (
        f" {yield_ms:.0f} ms, of {large:,} {large_ms:.0f} ms; {(table + indexes) / rows:.0f} bytes a record,"
    )
    text += f" {100 * indexes / (table + indexes):.0f} % of them indexes; loaded in {loaded_s:.0f} s"
    return text, serial_ms <= 20 and yield_ms <= 500


def load(store: Store, rows: int, large: int) -> None:
    """Insert rows as the server would, by SQL alone; the first ``large`` are one batch."""
    sample = document(1).decode()
    with store.transaction() as session:
        session.run("INSERT INTO line.station (name) VALUES ('st-1')")
        session.run("INSERT INTO line.journal (id, station) VALUES ('j', 'st-1')")
    step = 100_000
    for first in range(0, rows, step):
        with store.transaction(limit_ms=600_000) as session:
            session.run(
                "INSERT INTO line.record (journal, seq, digest, id, station, lane, batch, unit, imei, serial,"
                " label, outcome, exit_code, is_countable, is_passed, failure, started_at, ended_at, at,"
                " duration_ms, version_before, version_after, document)"
                " SELECT 'j', n + 1, md5(n::text) || md5(n::text), md5(n::text) || '-1', 'st-1', n %% 64,"
                " CASE WHEN n < %(large)s THEN 'B-large' ELSE 'B-' || n / 75600 END,"
                " (490000000000000 + n)::text, (490000000000000 + n)::text,"
                " 'MPA' || lpad(n::text, 12, '0'), 'SN' || lpad(n::text, 9, '0'),"
                " CASE WHEN n %% 25 = 0 THEN 'write-failed' ELSE 'updated' END,"
                " CASE WHEN n %% 25 = 0 THEN 9 ELSE 0 END, true, n %% 25 <> 0,"
                " CASE WHEN n %% 25 = 0 THEN 'write:write-failed:write.' || n %% 4 END,"
                " now(), now(), now() - n * interval '1 second', 180000 + n %% 5000, 'A03', 'A05',"
                " %(document)s::jsonb"
                " FROM generate_series(%(first)s::bigint, %(last)s::bigint) n",
                {"first": first, "last": min(rows, first + step) - 1, "document": sample, "large": large},
            )


def timed(store: Store, query: Callable[..., object]) -> float:
    """The median of five, in ms; the first one, which reads the disk, does not count."""
    took = []
    for _ in range(6):
        with store.transaction(limit_ms=600_000) as session:
            began = time.perf_counter()
            assert query(session)
            took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took[1:])


def in_threads(work: Callable[[int], None], numbers: range) -> None:
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised by the main thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
