"""Stations, a line and a real PostgreSQL, and everything that may happen to them, in any order.

After every step: spent ≤ granted ≤ quota, and no device id is bound twice, in the database and by what the
stations have really done. The latter holds as long as none of their disks was copied: two copies that are
offline know nothing of each other. At the end, when the network is well again: the stored records are the
journals' records, each once.
"""

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from atota.clock import SimulatedClock
from atota.errors import Outcome
from atota.journal.store import Journal
from atota.line.client import LineClient, LineKey
from atota.line.escrow import Escrow, Wish
from atota.line.outbox import Outbox
from atota.line.service import GrantMemory, LineService
from atota.line.store import Store
from atota.line.tables import quota, rebuild, stations
from tests.line.servers import stored
from tests.line.stations import documents, imei_of, write
from tests.line.wire import Fault, Wire

QUOTA = 9
WISH = Wish(batch="B-1", tickets=4, product="P", devices=2)
TABLES = (
    *("station", "state", "presence", "journal", "record", "quarantine", "batch", "allotment", "device"),
    *("claim", "unit", "conflict", "audit"),
)
places = st.integers(0, 3)


@dataclass
class Station:
    """One disk in one PC, and the program on it."""

    folder: Path
    key: str
    wire: Wire
    clock: SimulatedClock

    def start(self) -> None:
        self.journal = Journal(self.folder / "journal.sqlite3", clock=self.clock)
        self.escrow = Escrow(self.folder / "purse.sqlite3")
        self.client = LineClient("http://line.test", LineKey(self.key), clock=self.clock, transport=self.wire)
        self.outbox = Outbox(
            self.client, self.journal, clock=self.clock, escrow=self.escrow, wish=lambda: WISH
        )

    def kill(self) -> None:
        """Leave it as a power cut does: all that is on the disk stays."""
        self.client.close()
        self.escrow.close()
        self.journal.close()


class Factory(RuleBasedStateMachine):
    """Up to four stations and one line."""

    store: ClassVar[Store]

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.clock = SimulatedClock()
        self.service = LineService(self.store, clock=self.clock, memory=GrantMemory(self.root / "server"))
        self.numbers = 0
        self.stations: list[Station] = []
        self.written: Counter[str] = Counter()
        self.backup: Path | None = None
        self.is_saved = False
        self.is_copied = False
        self.spent = 0
        self.bound: dict[str, str] = {}
        with self.store.transaction() as session:
            session.run(f"TRUNCATE {', '.join(f'line.{table}' for table in TABLES)} CASCADE")
            session.run("DROP SCHEMA IF EXISTS saved CASCADE")
            session.run("INSERT INTO line.state DEFAULT VALUES")
            quota.new_batch(session, "B-1", QUOTA)
            quota.import_devices(session, [("P", f"d{number}", None) for number in range(8)])
        for name in ("st-1", "st-2"):
            self.add(name)

    def add(self, name: str) -> None:
        with self.store.transaction() as session:
            key = stations.add(session, name)
        self.install(self.root / name, key)

    def install(self, folder: Path, key: str) -> None:
        station = Station(folder, key, Wire(lambda: self.service), self.clock)
        station.start()
        self.stations.append(station)

    def at(self, place: int) -> Station:
        return self.stations[place % len(self.stations)]

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            for station in self.stations:
                station.kill()
            shutil.rmtree(self.root)

    # -- what happens -----------------------------------------------------------------------

    @rule(place=places, is_good=st.booleans(), count=st.integers(1, 3))
    def record(self, place: int, is_good: bool, count: int) -> None:
        for _ in range(count):
            self.numbers += 1
            outcome = Outcome.UPDATED if is_good else Outcome.WRITE_FAILED
            write(self.at(place).journal, self.numbers, outcome=outcome, label=f"SN{self.numbers}")
            self.written[imei_of(self.numbers)] += 1

    @rule(
        place=places,
        fault=st.sampled_from(["none", "none", "lost-request", "lost-answer", "doubled", "unreachable"]),
        steps=st.integers(1, 3),
    )
    def sync(self, place: int, fault: Fault, steps: int) -> None:
        station = self.at(place)
        station.wire.fault = fault
        for _ in range(steps):
            self.clock.sleep(6.0)
            station.outbox.step()
        station.wire.fault = "none"

    @rule(place=places)
    def kill_and_start(self, place: int) -> None:
        self.at(place).kill()
        self.at(place).start()

    @rule(place=places, how=st.sampled_from(["spend", "put-back", "leave"]))
    def spend(self, place: int, how: str) -> None:
        station = self.at(place)
        self.numbers += 1
        held = station.escrow.held("B-1")
        assert station.escrow.take("B-1", f"job-{self.numbers}") == (held > 0)
        if how == "spend":
            station.escrow.spend(f"job-{self.numbers}")
            self.spent += held > 0
        elif how == "put-back":
            station.escrow.put_back(f"job-{self.numbers}")
            assert station.escrow.held("B-1") == held

    @rule(place=places, is_new=st.booleans(), unit=st.integers(0, 5))
    def bind(self, place: int, is_new: bool, unit: int) -> None:
        """A module takes an id for ever: a new one, or one that may have been on another station before."""
        self.numbers += is_new
        imei = imei_of(self.numbers if is_new else 900_000 + unit)
        device = self.at(place).escrow.device("P", imei)
        assert device == self.at(place).escrow.device("P", imei)
        if device is not None:
            first = self.bound.setdefault(device, imei)
            assert self.is_copied or first == imei, "one id on two modules"

    @rule(place=places)
    def give_up(self, place: int) -> None:
        self.at(place).escrow.give_up("B-1")
        assert self.at(place).escrow.held("B-1") == 0

    @rule(data=st.data())
    def write_off(self, data: st.DataObject) -> None:
        with self.store.transaction() as session:
            grants = [row[0] for row in quota.allotments(session, "B-1")]
            if grants:
                quota.write_off(session, data.draw(st.sampled_from(grants)), "its disk is lost", "wang")

    @rule()
    def back_up_the_database(self) -> None:
        with self.store.transaction() as session:
            session.run("DROP SCHEMA IF EXISTS saved CASCADE")
            session.run("CREATE SCHEMA saved")
            for table in TABLES:
                session.run(f"CREATE TABLE saved.{table} AS TABLE line.{table}")
        self.is_saved = True

    @precondition(lambda self: self.is_saved)
    @rule()
    def restore_the_database(self) -> None:
        with self.store.transaction() as session:
            session.run(f"TRUNCATE {', '.join(f'line.{table}' for table in TABLES)} CASCADE")
            for table in TABLES:
                session.run(f"INSERT INTO line.{table} OVERRIDING SYSTEM VALUE TABLE saved.{table}")

    @precondition(lambda self: self.is_saved)
    @rule()
    def rebuild_the_database(self) -> None:
        """Every station tells all that it knows; then grants are given again."""
        with self.store.transaction() as session:
            rebuild.begin(session, [])
        for _ in range(40):
            self.clock.sleep(31.0)
            for station in self.stations:
                station.outbox.step()
            with self.store.transaction() as session:
                if all(one.is_complete for one in rebuild.progress(session)):
                    return rebuild.end(session)
        raise AssertionError([station.outbox.status for station in self.stations])

    @precondition(lambda self: len(self.stations) < 4)
    @rule(place=places)
    def clone_the_disk(self, place: int) -> None:
        self.is_copied = True
        station = self.at(place)
        station.kill()
        copy = self.root / f"clone-{len(self.stations)}"
        shutil.copytree(station.folder, copy)
        station.start()
        self.install(copy, station.key)

    @rule(place=places)
    def back_up_a_disk(self, place: int) -> None:
        station = self.at(place)
        station.kill()
        self.backup = station.folder.with_name("backup")
        shutil.rmtree(self.backup, ignore_errors=True)
        shutil.copytree(station.folder, self.backup)
        self.backed_up = station
        station.start()

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore_a_disk(self) -> None:
        self.is_copied = True
        assert self.backup is not None
        self.backed_up.kill()
        shutil.rmtree(self.backed_up.folder)
        shutil.copytree(self.backup, self.backed_up.folder)
        self.backed_up.start()

    # -- what holds -------------------------------------------------------------------------

    @invariant()
    def spent_is_at_most_granted_is_at_most_the_quota(self) -> None:
        with self.store.transaction() as session:
            quota_, granted = session.rows("SELECT quota, granted FROM line.batch WHERE id = 'B-1'")[0]
            spent, open_ = session.rows(
                "SELECT coalesce(sum(spent), 0)::int, coalesce(sum(size - returned), 0)::int"
                " FROM line.allotment"
            )[0]
        assert 0 <= spent <= granted <= quota_ == QUOTA
        assert granted == open_
        assert self.is_copied or self.spent <= QUOTA

    @invariant()
    def no_device_is_bound_twice(self) -> None:
        with self.store.transaction() as session:
            rows = session.rows("SELECT id, imei FROM line.device WHERE imei IS NOT NULL")
        assert len({imei for _, imei in rows}) == len(rows)

    def settle(self) -> None:
        """Mend the network, rebuild what was restored, and let every station send everything."""
        with self.store.transaction() as session:
            rebuild.begin(session, [])
        for _ in range(60):
            self.clock.sleep(31.0)
            pauses = [station.outbox.step() for station in self.stations]
            if all(pauses) and all(
                station.outbox.status.is_online and not station.outbox.status.waiting
                for station in self.stations
            ):
                break
        else:
            raise AssertionError([station.outbox.status for station in self.stations])
        rows = stored(self.store)
        assert len({(journal, seq) for journal, seq, _ in rows}) == len(rows)
        assert not Counter(document["imei"] for *_, document in rows) - self.written
        kept: list[tuple[str, int, Any]] = []
        for station in self.stations:
            kept += [row for row in documents(station.journal) if row not in kept]
        assert [row for row in kept if row not in rows] == []
        if not self.is_copied:
            assert Counter(document["imei"] for *_, document in rows) == self.written
            with self.store.transaction() as session:
                told = session.rows("SELECT id, imei FROM line.device WHERE imei IS NOT NULL")
            assert dict(told).items() <= self.bound.items()


@pytest.mark.timeout(300)
def test_whatever_happens_each_record_is_stored_once_and_quotas_hold(store: Store) -> None:
    Factory.store = store
    machine = Factory.TestCase
    machine.settings = settings(
        max_examples=15, stateful_step_count=25, suppress_health_check=list(HealthCheck), print_blob=True
    )
    machine().runTest()
