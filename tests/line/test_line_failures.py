"""Everything that breaks in a factory, by name: what is lost, what is doubled, who waits, who is told."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from atota.clock import SimulatedClock, SystemClock
from atota.errors import AtotaError, PlatformRefused
from atota.journal.store import Journal
from atota.line import app, client, protocol, service
from atota.line import outbox as outbox_module
from atota.line.escrow import Escrow, Wish
from atota.line.outbox import RECHECK_S, Outbox, back_off
from atota.line.protocol import Batch
from atota.line.store import Store
from atota.line.tables import figures, quota, rebuild, schema, stations
from tests.line.postgres import Postgres
from tests.line.proxy import Proxy
from tests.line.servers import Line, sent, stored
from tests.line.stations import documents, journal_in, write

LIMIT_S = 10.0
"""No thread waits longer for a line that is out of reach."""


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    with journal_in(folder) as opened:
        yield opened


@pytest.fixture
def proxy(line: Line) -> Iterator[Proxy]:
    made = Proxy(urlsplit(line.url).port or 0)
    yield made
    made.close()


def fill(journal: Journal, first: int, last: int) -> None:
    for number in range(first, last + 1):
        write(journal, number)


def steps_until(outbox: Outbox, *, online: bool, limit: int = 200) -> None:
    for _ in range(limit):
        outbox.step()
        if outbox.status.is_online is online:
            return
    raise AssertionError(outbox.status)


# -- the line is away ------------------------------------------------------------------------


def test_the_line_is_down_for_a_shift_and_the_lanes_go_on_with_the_tickets_they_hold(
    line: Line, folder: Path
) -> None:
    with line.store.transaction() as session:
        quota.new_batch(session, "B-1", 100)
    clock = SimulatedClock()
    purse = Escrow(folder / "purse")
    with journal_in(folder, clock=clock) as journal, purse as escrow:
        key = line.key()
        wish = Wish(batch="B-1", tickets=5)
        sent(line.outbox(journal, key, escrow=escrow, wish=lambda: wish))
        dead = line.client(key, "http://127.0.0.1:9")
        outbox = Outbox(dead, journal, clock=clock, escrow=escrow, wish=lambda: wish)
        outbox.step()
        since = outbox.status.since
        for number in range(5):
            clock.sleep(3600)
            assert escrow.take("B-1", f"job-{number}")
            escrow.spend(f"job-{number}")
            write(journal, number)
            assert outbox.step() > 0
        assert not escrow.take("B-1", "job-5"), "the sixth lane waits for a ticket"
        status = outbox.status
        assert (status.is_online, status.since, status.waiting) == (False, since, 5)
        assert status.problem
        back = line.outbox(journal, key, escrow=escrow, wish=lambda: wish)
        sent(back)
        assert escrow.held("B-1") == 5
    with line.store.transaction() as session:
        (state,) = figures.batches(session, "B-1")
    assert (state.spent, state.granted) == (5, 10)


def test_a_cable_that_is_cut_in_the_middle_of_a_request_loses_nothing(
    line: Line, journal: Journal, proxy: Proxy
) -> None:
    fill(journal, 1, 80)
    outbox = line.outbox(journal, line.key(), proxy.url)
    proxy.mode = "cut-request"
    steps_until(outbox, online=False)
    proxy.mode = "pass"
    proxy.cut()
    sent(outbox)
    assert line.rows == documents(journal)


def test_a_network_that_delays_every_byte_is_waited_for(line: Line, journal: Journal, proxy: Proxy) -> None:
    fill(journal, 1, 80)
    proxy.mode = "slow"
    outbox = line.outbox(journal, line.key(), proxy.url)
    while outbox.step() == 0:
        assert outbox.status.is_online
    assert line.rows == documents(journal)


def test_answers_that_are_lost_double_nothing(
    line: Line, journal: Journal, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CONNECT_AND_READ_S", 0.5)
    fill(journal, 1, 70)
    outbox = line.outbox(journal, line.key(), proxy.url)
    outbox.step()
    proxy.mode = "swallow-answers"
    steps_until(outbox, online=False)
    assert len(line.rows) in (64, 70)
    proxy.mode = "pass"
    proxy.cut()
    sent(outbox)
    assert line.rows == documents(journal)


def test_requests_that_come_twice_and_in_another_order_change_nothing(line: Line, journal: Journal) -> None:
    fill(journal, 1, 60)
    name = journal.histories()[0].id
    caller = line.client(line.key())
    links = [msgspec.Raw(link.document.encode()) for link in journal.links(0, 100)]
    batches = [Batch(first_seq=first, records=links[first - 1 : first + 19]) for first in (1, 21, 41)]
    for index, is_early in ((1, True), (0, False), (0, False), (2, True), (1, False), (2, False), (0, False)):
        if is_early:
            with pytest.raises(client.JournalRefused, match="is missing"):
                caller.send(name, batches[index])
        else:
            caller.send(name, batches[index])
    assert caller.cursor(name).next_seq == 61
    assert line.rows == documents(journal)


def test_two_processes_that_send_one_journal_send_it_once(line: Line, journal: Journal) -> None:
    fill(journal, 1, 150)
    key = line.key()
    outboxes = [line.outbox(journal, key) for _ in range(2)]
    threads = [threading.Thread(target=sent, args=(outbox,)) for outbox in outboxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert line.rows == documents(journal)
    assert len(journal.histories()) == 1


def test_no_thread_waits_long_for_a_black_hole(
    line: Line, journal: Journal, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.CONNECT_AND_READ_S <= LIMIT_S
    monkeypatch.setattr(client, "CONNECT_AND_READ_S", 0.5)
    fill(journal, 1, 3)
    outbox = line.outbox(journal, line.key(), proxy.url)
    outbox.step()
    proxy.mode = "black-hole"
    fill(journal, 4, 5)
    steps_until(outbox, online=False)
    assert "the line" in outbox.status.problem or "answer" in outbox.status.problem
    proxy.mode = "pass"
    proxy.cut()
    sent(outbox)
    assert line.rows == documents(journal)


def test_a_stopped_database_is_answered_for_and_recovers(
    line: Line, postgres: Postgres, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGSTOP: nothing is refused and nothing answers; the server says so instead of the database."""
    assert app.ANSWER_S < client.CONNECT_AND_READ_S <= LIMIT_S
    monkeypatch.setattr(app, "ANSWER_S", 0.5)
    fill(journal, 1, 3)
    key = line.key()
    postgres.signal_all(signal.SIGSTOP)
    try:
        status, answer = line.call("GET", "/v1/journals/x", key=key)
        assert (status, answer["error"]["code"]) == (503, "line.busy")
    finally:
        postgres.signal_all(signal.SIGCONT)
    monkeypatch.undo()
    sent(line.outbox(journal, key))
    assert line.rows == documents(journal)


def test_a_connection_that_is_held_too_long_is_cut_by_the_watchdog(
    postgres: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atota.errors import ServerError
    from atota.line import store as module

    monkeypatch.setattr(module, "HELD_S", 0.2)
    with Store(postgres.url_of(database), clock=SystemClock()) as store:
        with pytest.raises(ServerError), store.transaction() as session:
            session.run("SELECT pg_sleep(7)")
        with store.transaction() as session:
            assert session.value("SELECT 1") == 1


def test_the_pauses_of_many_stations_spread_and_are_bounded() -> None:
    assert [back_off(failures, 1.0) for failures in (1, 2, 3, 7, 50)] == [1.0, 2.0, 4.0, 60.0, 60.0]
    assert back_off(9, 0.0) == 0.1
    assert back_off(3, 0.5) == 2.0


# -- kill -9 ---------------------------------------------------------------------------------


@pytest.mark.timeout(180)  # PostgreSQL starts three times
def test_the_postmaster_and_its_backends_are_killed_at_any_moment(
    line: Line, postgres: Postgres, journal: Journal
) -> None:
    key = line.key()
    outbox = line.outbox(journal, key)
    for round_ in range(3):
        fill(journal, 100 * round_, 100 * round_ + 70)
        killer = threading.Timer(0.02 * (round_ + 1), postgres.kill)
        killer.start()
        for _ in range(4):
            outbox.step()
        killer.join()
        postgres.start()
        sent(outbox)
        assert line.rows == documents(journal)


def test_a_station_is_killed_after_a_record_and_before_it_is_sent(line: Line, folder: Path) -> None:
    key = line.key()
    for start in range(3):
        with journal_in(folder) as journal:
            fill(journal, 10 * start, 10 * start + 5)
            if start == 1:
                line.outbox(journal, key).step()
    with journal_in(folder) as journal:
        sent(line.outbox(journal, key))
        assert line.rows == documents(journal)
        assert len(line.rows) == 18


# -- databases and disks that are lost, restored, cloned, full ---------------------------------


def test_a_database_restored_from_yesterday_gets_the_rest_again(
    postgres: Postgres, database: str, store: Store, folder: Path, tmp_path: Path
) -> None:
    with Line(store, tmp_path / "state") as line, journal_in(folder) as journal:
        key = line.key()
        outbox = line.outbox(journal, key)
        fill(journal, 1, 20)
        sent(outbox)
        postgres.dump(database, tmp_path / "dump")
        fill(journal, 21, 150)
        sent(outbox)
        postgres.restore(database, tmp_path / "dump")
        fill(journal, 151, 152)
        sent(outbox)
        assert line.rows == documents(journal)
        assert len(line.rows) == 152
        assert RECHECK_S <= 60, "a station without new records asks by itself"


def test_a_lost_database_is_rebuilt_with_the_same_rows(
    postgres: Postgres,
    database: str,
    store: Store,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox_module, "PRESENCE_S", 0.0)
    columns = (
        "journal, seq, digest, id, station, lane, batch, unit, imei, serial, label, outcome, exit_code,"
        " is_countable, is_passed, failure, started_at, ended_at, at, duration_ms, version_before,"
        " version_after, operator, tool_version, document"
    )
    query = f"SELECT {columns} FROM line.record ORDER BY journal, seq"
    journals = [journal_in(folder, f"st-{number}") for number in (1, 2)]
    with Line(store, tmp_path / "state") as line:
        with line.store.transaction() as session:
            quota.new_batch(session, "B-1", 50)
        keys = [line.key("st-1"), line.key("st-2")]
        purse, wish = Escrow(folder / "purse"), Wish(batch="B-1", tickets=9)
        outboxes = [
            Outbox(line.client(key), journal, clock=SystemClock(), escrow=escrow, wish=lambda: wish)
            for key, journal, escrow in zip(keys, journals, (purse, None), strict=True)
        ]
        for number, journal in enumerate(journals, 1):
            fill(journal, 100 * number, 100 * number + 30 * number)
        for outbox in outboxes:
            sent(outbox)
        assert purse.take("B-1", "job")
        purse.spend("job")
        with store.transaction() as session:
            before = session.rows(query)
        postgres.sql(f"DROP DATABASE {database} WITH (FORCE)")
        postgres.sql(f"CREATE DATABASE {database}")
        assert outboxes[0].step() > 0, "the database is away, and the station is offline"
        for _ in range(8):  # the pool still has connections to the lost database
            with contextlib.suppress(AtotaError):
                schema.migrate(store)
        with store.transaction() as session:
            rebuild.begin(session, ["st-1", "st-2"])
        while True:
            for outbox in outboxes:
                outbox.step()
            with store.transaction() as session:
                if all(one.is_complete for one in rebuild.progress(session)):
                    break
        with store.transaction() as session:
            assert session.value("SELECT hold FROM line.state") == "the line is being rebuilt"
            rebuild.end(session)
            assert session.rows(query) == before
            assert session.rows("SELECT size, spent FROM line.allotment") == [(9, 1)]
            assert session.value("SELECT granted FROM line.batch") == 9
        assert len(before) == 31 + 61
        assert line.call("GET", "/v1/journals/x", key=keys[0])[0] == 200
        assert line.call("GET", "/v1/journals/x", key=keys[0] + "x")[0] == 401
        purse.close()
    for journal in journals:
        journal.close()


def test_device_ids_that_a_lost_database_forgot_are_told_again_and_never_bound_twice(
    line: Line, folder: Path
) -> None:
    """The ids are imported anew, as free ones; the stations say which they hold and which are bound."""
    ids: list[tuple[str, str, str | None]] = [("P", f"d{number}", None) for number in range(6)]
    wishes = {"st-1": Wish(product="P", devices=4), "st-2": Wish(product="P", devices=6)}
    with line.store.transaction() as session:
        quota.import_devices(session, ids)
    with journal_in(folder, "1") as one, journal_in(folder, "2") as two, ExitStack() as stack:
        purses, outboxes = {}, {}
        for journal, name in ((one, "st-1"), (two, "st-2")):
            purse = purses[name] = stack.enter_context(Escrow(folder / f"purse-{name}"))
            outboxes[name] = line.outbox(
                journal, line.key(name), escrow=purse, wish=partial(wishes.get, name)
            )
        sent(outboxes["st-1"])
        assert purses["st-1"].device("P", "490154200000001") == "d0"
        with line.store.transaction() as session:
            session.run("TRUNCATE line.device")
            session.run("UPDATE line.state SET bindings = 0, grants = 0")
            quota.import_devices(session, ids)
            rebuild.begin(session, [])
        complete: list[str] = []
        while len(complete) < 2:
            for outbox in outboxes.values():
                outbox._presence_at = 0.0
                outbox.step()
            with line.store.transaction() as session:
                complete = [part.station for part in rebuild.progress(session) if part.is_complete]
                assert session.value("SELECT count(*) FROM line.device WHERE station = 'st-2'") == 0
        with line.store.transaction() as session:
            rebuild.end(session)
        outboxes["st-2"]._presence_at = 0.0
        outboxes["st-2"].step()
        with line.store.transaction() as session:
            rows = session.rows("SELECT id, state, station FROM line.device ORDER BY id")
        assert rows == [
            ("d0", "bound", "st-1"),
            *((f"d{number}", "leased", "st-1") for number in (1, 2, 3)),
            *((f"d{number}", "leased", "st-2") for number in (4, 5)),
        ]
        assert (purses["st-1"].free_devices("P"), purses["st-2"].free_devices("P")) == (3, 2)


def test_a_station_disk_that_dies_offline_leaves_a_backlog_and_tickets_that_are_perhaps_spent(
    line: Line, folder: Path
) -> None:
    with line.store.transaction() as session:
        quota.new_batch(session, "B-1", 10)
    key = line.key()
    clock = SimulatedClock(start=time.time())
    purse = Escrow(folder / "purse")
    with journal_in(folder, clock=clock) as journal, purse as escrow:
        wish = Wish(batch="B-1", tickets=10)
        outbox = Outbox(line.client(key), journal, clock=clock, escrow=escrow, wish=lambda: wish)
        fill(journal, 1, 3)
        sent(outbox)
        fill(journal, 4, 8)
        assert outbox._count_waiting() == 5
    shutil.rmtree(folder)
    folder.mkdir()
    with line.store.transaction() as session:
        ((grant, _, size, spent, *_),) = quota.allotments(session, "B-1")
        assert (size, spent) == (10, 0)
        assert quota.write_off(session, grant, "the disk of st-1 died", "wang") == 10
    assert len(line.rows) == 3
    asked = protocol.GrantRequest(id="g", batch="B-1", count=1)
    assert line.client(key).grant(asked).granted == 0


def test_a_cloned_disk_is_found_and_both_histories_are_kept(line: Line, folder: Path) -> None:
    key = line.key()
    with journal_in(folder, "one") as first:
        fill(first, 1, 10)
        sent(line.outbox(first, key))
    shutil.copy(folder / "one.sqlite3", folder / "two.sqlite3")
    notices: list[str] = []
    purse = Escrow(folder / "purse")
    with journal_in(folder, "one") as first, journal_in(folder, "two") as second, purse as escrow:
        fill(first, 11, 15)
        fill(second, 21, 28)
        sent(line.outbox(first, key))
        sent(line.outbox(second, key, on_notice=notices.append, escrow=escrow))
        fill(first, 16, 17)
        fill(second, 29, 30)
        sent(line.outbox(first, key))
        sent(line.outbox(second, key))
        old, new = second.histories()
        assert (old.last, new.after) == (10, 10)
        assert "cloned or restored" in new.why
        assert notices == [new.why]
        assert len(first.histories()) == 1
        expected = sorted(documents(first) + documents(second)[10:])
        assert sorted(line.rows) == expected
        assert len(line.rows) == 17 + 10
    with line.store.transaction() as session:
        assert figures.totals(session)[3] >= 0


def test_a_disk_restored_from_a_backup_is_found_and_nothing_that_was_stored_is_lost(
    line: Line, folder: Path
) -> None:
    key = line.key()
    with journal_in(folder) as journal:
        fill(journal, 1, 5)
        sent(line.outbox(journal, key))
    shutil.copy(folder / "journal.sqlite3", folder / "backup")
    with journal_in(folder) as journal:
        fill(journal, 6, 9)
        sent(line.outbox(journal, key))
        lost = documents(journal)
    for file in folder.glob("journal.sqlite3*"):
        if file.is_file():
            file.unlink()
    shutil.copy(folder / "backup", folder / "journal.sqlite3")
    with journal_in(folder) as journal:
        fill(journal, 50, 52)
        sent(line.outbox(journal, key))
        assert [history.after for history in journal.histories()] == [0, 5]
        assert sorted(line.rows) == sorted(lost + documents(journal)[5:])


def test_a_clock_that_is_a_day_wrong_or_jumps_back_mixes_nothing_up(line: Line, folder: Path) -> None:
    now = time.time()
    clock = SimulatedClock(start=now + 86_400)
    with journal_in(folder, clock=clock) as journal:
        fill(journal, 1, 2)
        clock._start -= 2 * 86_400
        fill(journal, 3, 4)
        outbox = Outbox(line.client(line.key()), journal, clock=clock)
        sent(outbox)
    with line.store.transaction() as session:
        rows = session.rows(
            "SELECT seq, at <= received_at, at >= received_at - interval '2 days' FROM line.record"
            " ORDER BY at, journal, seq"
        )
        offset = session.value("SELECT clock_offset_ms FROM line.presence")
    assert [seq for seq, *_ in rows] == [1, 2, 3, 4]
    assert all(is_past and is_recent for _, is_past, is_recent in rows)
    assert -90_000_000 < offset < -80_000_000


def test_a_full_disk_refuses_the_whole_batch_and_the_next_one_succeeds(
    line: Line, postgres: Postgres, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit on the size of files stands for the disk: the statement fails as it does on a full one."""
    from psycopg import errors

    from atota.line.tables import records

    fill(journal, 1, 80)
    outbox = line.outbox(journal, line.key())

    def full(*_: object) -> None:
        raise errors.DiskFull("could not extend file: No space left on device")

    monkeypatch.setattr(records, "_note_units", full)
    steps_until(outbox, online=False)
    assert "No space left on device" in outbox.status.problem
    assert "Make room" in outbox.status.hint
    assert line.rows == []
    monkeypatch.undo()
    sent(outbox)
    assert line.rows == documents(journal)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of its own, of 160 MB, that any user may write to."""
    folder = Path(tempfile.mkdtemp(prefix="atota-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160m,mode=1777", "tmpfs", str(folder)], capture_output=True
    )
    try:
        if mounted.returncode:
            pytest.skip("this user may not mount a file system, so no disk is really full: run it as root")
        yield folder
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@pytest.mark.timeout(180)
def test_a_really_full_disk_refuses_the_whole_batch_and_the_next_one_succeeds(
    small_disk: Path, folder: Path, tmp_path: Path
) -> None:
    """PostgreSQL's data lie on a file system of their own, which a file fills up to the last byte."""
    with Postgres(parent=small_disk) as server, Store(server.url, clock=SystemClock()) as store:
        schema.migrate(store)
        with Line(store, tmp_path / "state") as line, journal_in(folder) as journal:
            outbox = line.outbox(journal, line.key())
            fill(journal, 1, 10)
            sent(outbox)
            filler = small_disk / "filler"
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
            assert shutil.disk_usage(small_disk).free == 0
            fill(journal, 11, 1000)
            steps_until(outbox, online=False)
            assert "No space left on device" in outbox.status.problem
            assert "Make room" in outbox.status.hint
            kept = line.rows
            assert kept == documents(journal)[: len(kept)]
            assert (len(kept) - 10) % protocol.BATCH_RECORDS == 0, "a batch is stored whole or not at all"
            filler.unlink()
            sent(outbox)
            assert line.rows == documents(journal)


# -- versions --------------------------------------------------------------------------------


def test_a_server_that_was_upgraded_first_serves_the_stations_of_the_version_before(
    line: Line, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PROTOCOL", protocol.PROTOCOL + 1)
    fill(journal, 1, 3)
    sent(line.outbox(journal, line.key()))
    assert len(line.rows) == 3
    monkeypatch.setattr(service, "PROTOCOL", protocol.PROTOCOL + 2)
    status, answer = line.call("GET", "/v1/journals/x", key=line.key(), X_Atota_Protocol="1")
    assert (status, "newer atota on the station" in answer["error"]["hint"]) == (400, True)


def test_a_station_that_was_upgraded_first_is_refused_with_a_hint_and_loses_nothing(
    line: Line, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(journal, 1, 3)
    monkeypatch.setitem(client._HEADERS, protocol.HEADER, str(protocol.PROTOCOL + 1))
    key = line.key()
    with pytest.raises(PlatformRefused, match="speaks protocol 2"):
        line.client(key).cursor("x")
    outbox = line.outbox(journal, key)
    outbox.step()
    assert "on the line's server first" in outbox.status.hint
    assert outbox.status.waiting == 3
    monkeypatch.undo()
    sent(outbox)
    assert line.rows == documents(journal)


def test_tables_of_a_newer_atota_are_refused_by_name(store: Store) -> None:
    from atota.errors import ConfigError

    with store.transaction() as session:
        session.run("INSERT INTO line.migration (version, sha256) VALUES (99, '')")
    with pytest.raises(ConfigError, match="made by a newer atota"):
        schema.check(store)


def test_two_that_migrate_at_the_same_time_do_it_once(postgres: Postgres, tmp_path: Path) -> None:
    name = f"fresh_{abs(hash(tmp_path)) % 10**8}"
    postgres.sql(f"CREATE DATABASE {name}")
    results: list[tuple[int, int]] = []
    with Store(postgres.url_of(name), clock=SystemClock()) as opened:
        threads = [threading.Thread(target=lambda: results.append(schema.migrate(opened))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        versions = len(schema.steps())
        assert sorted(results) == [(0, versions), (versions, versions), (versions, versions)]
        assert stored(opened) == []
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_quota_race_of_a_hundred_stations_ends_exactly_at_the_quota(line: Line, folder: Path) -> None:
    """Over HTTP, each request twice and some answers lost; then every ticket that was granted is spent."""
    size, wish = 250, Wish(batch="B-1", tickets=4)
    with line.store.transaction() as session:
        quota.new_batch(session, "B-1", size)
        keys = [stations.add(session, f"st-{number:03}") for number in range(100)]
    start = threading.Barrier(16)  # as many at once as the threads are
    over = threading.Event()

    def shift(number: int) -> int:
        """Fill a purse, spend it, say so: twice, as the batch's rest is shared out."""
        if number < start.parties:
            start.wait()
        caller, spent = line.client(keys[number]), 0
        request = protocol.GrantRequest(id=f"g-{number}", batch="B-1", count=2)
        first = caller.grant(request)
        assert caller.grant(request).granted == first.granted, "the answer was lost"
        if first.granted:
            caller.settle(
                [protocol.Settlement(id=first.id, batch="B-1", size=first.granted, spent=first.granted)]
            )
        with Escrow(folder / f"purse-{number}") as escrow:
            for round_ in range(2):
                escrow.sync(caller, "db", wish)
                while escrow.take("B-1", f"job-{round_}-{spent}"):
                    escrow.spend(f"job-{round_}-{spent}")
                    spent += 1
            escrow.sync(caller, "db", Wish())
        return spent + first.granted

    def watch() -> list[tuple[int, int, int]]:
        seen = []
        while not over.wait(0.02):
            with line.store.transaction() as session:
                (state,) = figures.batches(session, "B-1")
            seen.append((state.spent, state.granted, state.quota))
        return seen

    with ThreadPoolExecutor(start.parties + 1) as pool:
        watcher = pool.submit(watch)
        try:
            spent = list(pool.map(shift, range(100)))
        finally:
            over.set()
    seen = watcher.result()
    assert len(seen) > 10
    assert all(used <= granted <= limit == size for used, granted, limit in seen)
    with line.store.transaction() as session:
        (state,) = figures.batches(session, "B-1")
    assert (state.spent, state.granted, state.quota) == (sum(spent), size, size)
    assert sum(spent) == size
