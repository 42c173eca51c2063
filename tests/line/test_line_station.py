"""A station and its line: units that were done elsewhere, tickets, and the records of a real run."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atota.clock import SystemClock
from atota.errors import Outcome, Refused
from atota.journal.facts import JobState, StateFact
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.line import client, protocol
from atota.line.check import examine_line
from atota.line.escrow import Escrow, Wish
from atota.line.station import DoneElsewhere, NoDeviceId, NoTicket, StationLine
from atota.line.store import Store
from atota.line.tables import figures, quota, stations
from atota.otaserver import model
from atota.otaserver.serve import RunningServer
from atota.otaserver.service import LocalPlatform
from atota.sim.package import build_package
from tests.line.servers import Line, LineProcess, sent
from tests.line.stations import imei_of, journal_in, write

ROOT = Path(__file__).resolve().parents[2]
Connect = Callable[..., StationLine]
Run = Callable[..., "tuple[int, list[dict[str, Any]]]"]
KEY = "b2J2aW91c2x5IGEgZmFrZSBrZXk="


@pytest.fixture
def journal(folder: Path) -> Iterator[Journal]:
    with journal_in(folder, "station") as opened:
        yield opened


@pytest.fixture
def connect(line: Line, journal: Journal, tmp_path: Path) -> Iterator[Connect]:
    """Connect the station st-7 to the line, or to an address where none is; its outbox is stepped by hand."""
    key_file = tmp_path / "line.key"
    key_file.write_text(line.key("st-7") + "\n", encoding="utf-8")
    made: list[StationLine] = []

    def one(url: str = "", of: Journal = journal, product: str | None = None) -> StationLine:
        connection = StationLine(
            url or line.url, key_file, of, batch="B-1", product=product, lanes=1, clock=SystemClock()
        )
        made.append(connection)
        return connection

    yield one
    for connection in made:
        connection._client.close()
        connection._quick.close()
        connection._escrow.close()


def job(journal: Journal, run: str, *states: JobState, outcome: Outcome | None = Outcome.UPDATED) -> str:
    """Write a job down that came to its last state."""
    entry = journal.open_job(Opened(run=run, attempt=1, command="update", port="sim://BC28"))
    for state in states:
        entry.fact(StateFact(state))
    if outcome is not None:
        entry.verdict(outcome)
    return entry.id


def test_a_unit_done_on_another_station_is_refused_before_anything_is_touched_online_and_offline(
    line: Line, connect: Connect, folder: Path
) -> None:
    with journal_in(folder, "other") as other:
        write(other, 1, station="st-1")
        sent(line.outbox(other, line.key("st-1")))
    station = connect()
    sent(station._outbox)
    with pytest.raises(DoneElsewhere, match="was done by the station st-1"):
        station.admit(imei_of(1), None, lane=1, job="j", is_again=False)
    station.admit(imei_of(1), None, lane=1, job="j", is_again=True)
    offline = connect("http://127.0.0.1:9")
    with pytest.raises(DoneElsewhere, match="was done by the station st-1"):
        offline.admit(imei_of(1), None, lane=1, job="j", is_again=False)
    offline.admit(imei_of(2), None, lane=1, job="j2", is_again=False)


def test_a_ticket_is_spent_once_the_update_may_have_started_and_put_back_before(
    line: Line, connect: Connect, journal: Journal
) -> None:
    with line.store.transaction() as session:
        quota.new_batch(session, "B-1", 2)
    station = connect()
    with pytest.raises(NoTicket):
        station.admit(imei_of(1), None, lane=1, job="early", is_again=False)
    sent(station._outbox)
    refused = job(journal, "a", JobState.CHANGED, JobState.FAILED, outcome=Outcome.WRITE_FAILED)
    started = job(journal, "b", JobState.CHANGED, JobState.MAY_HAVE_STARTED)
    for name in (refused, started):
        station.admit(None, None, lane=1, job=name, is_again=False)
    with pytest.raises(NoTicket):
        station.admit(None, None, lane=1, job="c", is_again=False)
    station.ended(refused, journal.record(refused))
    station.ended(started, journal.record(started))
    assert station._escrow.held("B-1") == 1
    station._outbox._presence_at = 0.0
    station._outbox.step()
    with line.store.transaction() as session:
        (state,) = figures.batches(session, "B-1")
    assert (state.spent, state.granted, state.quota) == (1, 2, 2)


def test_a_ticket_that_was_taken_when_the_power_failed_is_settled_at_the_next_start(
    line: Line, connect: Connect, journal: Journal, folder: Path
) -> None:
    with line.store.transaction() as session:
        quota.new_batch(session, "B-1", 9)
    station = connect()
    sent(station._outbox)
    held = station._escrow.held("B-1")
    names = [
        job(journal, "a", JobState.CHANGED, outcome=None),
        job(journal, "b", JobState.CHANGED, JobState.STARTED, outcome=None),
        "never-opened",
    ]
    for name in names:
        station.admit(None, None, lane=1, job=name, is_again=False)
    journal.close()
    with journal_in(folder, "station") as reopened:
        reopened.recover()
        again = connect(of=reopened)
        assert again._escrow.taken() == []
        assert again._escrow.held("B-1") == held - 1, "only the job that had started has spent its own"


def test_a_device_id_from_the_line_stays_with_its_module_offline_and_on_another_station(
    line: Line, connect: Connect, folder: Path
) -> None:
    with line.store.transaction() as session:
        devices = [("P", "d0", None), ("P", "d1", None), ("P", "d8", imei_of(8)), ("P", "d9", imei_of(9))]
        quota.import_devices(session, devices)
    assert connect().device(imei_of(1)) is None, "without a product, the station names the devices"
    station = connect(product="P")
    with pytest.raises(NoDeviceId, match="product P"):
        station.device(imei_of(1))
    sent(station._outbox)
    station.admit(imei_of(8), None, lane=1, job="j", is_again=False)
    assert station.device(imei_of(8)) == ("P", "d8"), "the one that it is bound to, wherever that was done"
    offline = connect("http://127.0.0.1:9", product="P")
    assert [offline.device(imei_of(number)) for number in (1, 2, 1, 8)] == [
        ("P", device) for device in ("d0", "d1", "d0", "d8")
    ]
    with pytest.raises(NoDeviceId):
        offline.device(imei_of(3))
    with pytest.raises(Refused, match="no IMEI"):
        offline.device(None)


def test_an_id_that_was_bound_offline_is_known_to_the_others_offline_after_the_next_syncs(
    line: Line, connect: Connect, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bound without the network; both sync; then the module comes to another station, offline again."""
    monkeypatch.setattr(quota, "DELTA", 50)
    with line.store.transaction() as session:
        quota.import_devices(session, [("P", f"d{number:03}", None) for number in range(700)])
    first = connect(product="P")
    sent(first._outbox)
    wish = Wish(product="P", devices=10)
    with journal_in(folder, "other") as journal, Escrow(folder / "other") as purse:
        outbox = line.outbox(journal, line.key("st-8"), escrow=purse, wish=lambda: wish)
        sent(outbox)
        bound = {number: first.device(imei_of(number)) for number in range(160)}
        assert len(set(bound.values())) == 160
        assert purse.free_devices("P") == 10
        for one in (first._outbox, outbox):
            one._presence_at = 0.0
            one.step()
        for number, device in bound.items():
            assert ("P", purse.device("P", imei_of(number))) == device
        assert purse.free_devices("P") == 10
    with line.store.transaction() as session:
        assert session.value("SELECT count(*) FROM line.device WHERE state = 'bound'") == 160


def test_a_second_id_that_a_module_got_offline_is_refused_and_holds_nothing_up(
    line: Line, connect: Connect
) -> None:
    with line.store.transaction() as session:
        quota.import_devices(session, [("P", "d0", None), ("P", "d1", None)])
    station = connect(product="P")
    sent(station._outbox)
    with line.store.transaction() as session:
        quota.import_devices(session, [("P", "d9", imei_of(9))])
    assert [station.device(imei_of(number)) for number in (9, 1)] == [("P", "d0"), ("P", "d1")]
    station._outbox._presence_at = 0.0
    sent(station._outbox)
    with line.store.transaction() as session:
        bound = session.rows("SELECT id, imei FROM line.device WHERE state = 'bound' ORDER BY id")
        refused = session.value("SELECT count(*) FROM line.audit WHERE action = 'bind-refused'")
    assert (bound, refused) == ([("d1", imei_of(1)), ("d9", imei_of(9))], 1)


def test_the_check_of_a_station_tells_the_key_the_versions_and_the_stock(
    line: Line, connect: Connect, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with line.store.transaction() as session:
        quota.new_batch(session, "B-1", 90)
        quota.import_devices(session, [("P", "d0", None), ("P", "d1", None)])

    def check(url: str = line.url) -> list[tuple[str, str, str]]:
        found = examine_line(
            url,
            tmp_path / "line.key",
            journal.path,
            batch="B-1",
            product="P",
            clock=SystemClock(),
            timeout_s=5.0,
        )
        return [(one.check, one.state, one.says) for one in found]

    assert ("stock", "ok", "this station has never had tickets or device ids of the line") in check()
    station = connect(product="P")
    assert ("stock", "warning", "no tickets of the batch B-1 are held") in check()
    sent(station._outbox)
    station.device(imei_of(1))
    found = check()
    assert found[0] == ("line", "ok", f"{line.url} answers, takes the key and speaks protocol 1")
    assert [state for _, state, _ in found] == ["ok"] * 4
    says = [says for *_, says in found]
    assert says[2] == "90 tickets of the batch B-1 are held for work without the network"
    assert says[3] == "1 device ids of the product P are held for work without the network"
    assert check("http://127.0.0.1:9")[0][:2] == ("line", "bad")
    monkeypatch.setitem(client._HEADERS, protocol.HEADER, str(protocol.PROTOCOL + 1))
    assert "speaks protocol 2" in check()[0][2]
    monkeypatch.undo()
    with line.store.transaction() as session:
        stations.revoke(session, "st-7")
    assert "was revoked" in check()[0][2]
    (tmp_path / "line.key").write_text("nonsense")
    assert "not a station's key" in check()[0][2]


def test_a_batch_that_the_line_does_not_know_needs_no_tickets(line: Line, connect: Connect) -> None:
    station = connect()
    sent(station._outbox)
    for number in range(5):
        station.admit(imei_of(number), None, lane=1, job=f"j-{number}", is_again=False)
    assert station.status.is_online


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs `atota station run` and returns its exit code and the verdicts by lane."""

    def one(*options: str, units: int, **variables: str) -> tuple[int, list[dict[str, Any]]]:
        words = (
            "station",
            "run",
            str(tmp_path / "station.toml"),
            "--units",
            str(units),
            "--no-page",
            "--json",
        )
        ran = subprocess.run(
            [sys.executable, "-m", "atota", *words, *options],
            capture_output=True,
            text=True,
            timeout=55,
            env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **variables},
        )
        verdicts = [one for one in map(json.loads, ran.stdout.splitlines()) if one["event"] == "verdict"]
        assert len(verdicts) == units, ran.stderr
        return ran.returncode, sorted(verdicts, key=lambda verdict: int(verdict["lane"]))

    return one


@pytest.mark.timeout(180)
def test_a_station_run_names_its_units_by_the_ids_of_the_line_and_refuses_without_one(
    server: LineProcess, store: Store, tmp_path: Path, run: Run
) -> None:
    """A real `line serve`: one unit with it, one without it, and one for which no id is left."""
    with store.transaction() as session:
        (tmp_path / "line.key").write_text(stations.add(session, "bench-7"), encoding="utf-8")
        quota.import_devices(session, [("1000", "6523", None), ("1000", "6524", None)])
    imeis = ("490154203237518", "490154203237526", "490154203237534", "490154203237542")

    def bench(*lanes: str) -> None:
        text = f'name = "bench-7"\n[line]\nurl = "http://127.0.0.1:{server.port}"\nkey_file = "line.key"\n'
        for number, imei in enumerate(lanes, 1):
            text += f'[[lane]]\nnumber = {number}\nport = "sim://BC28?imei={imei}&speed=100"\n'
        (tmp_path / "station.toml").write_text(text, encoding="utf-8")

    package = build_package(model="BC28", base="BC28JAR01A03", target="BC28JAR01A05", size=4096)
    file = model.TasksFile(
        auth=model.Auth(product_id="1000", access_key=KEY),
        tasks=tuple(
            model.TaskSpec(dev_id=name, manuf="014", model="01401", package="p.bin", target="BC28JAR01A05")
            for name in ("6523", "6524")
        ),
    )
    with RunningServer(LocalPlatform(model.build(file, {"p.bin": package}))) as platform:
        options = ("--server", platform.url, "--product-id", "1000")
        server.start()
        bench(imeis[0])
        code, (verdict,) = run(*options, units=1, ATOTA_ACCESS_KEY=KEY)
        assert code == 0, verdict["sentence"]
        server.kill()
        bench(imeis[1])
        assert run(*options, units=1, ATOTA_ACCESS_KEY=KEY)[0] == 0, "offline"
        assert [task.state.name for task in platform.platform.tasks] == ["DONE", "DONE"]
        server.start()
        bench(*imeis[2:])
        code, verdicts = run(*options, units=2, ATOTA_ACCESS_KEY=KEY)
    assert code == 13
    for verdict in verdicts:
        assert (verdict["verdict"], verdict["exit_code"]) == ("station-error", 13)
        assert "no device id of the product 1000" in verdict["sentence"]
    with store.transaction() as session:
        rows = session.rows("SELECT id, imei FROM line.device WHERE state = 'bound' ORDER BY id")
    assert rows == [("6523", imeis[0]), ("6524", imeis[1])]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ('product_id = "1001"', "no device id of the product 1001 is left on this station"),
        ('device_name = "{imei}"', "the platform's device id is missing"),
    ],
)
def test_the_line_is_asked_for_ids_only_where_the_station_file_names_no_device(
    tmp_path: Path, run: Run, table: str, sentence: str
) -> None:
    """A line that was never within reach: no id is held. GENERIC wants an id, so a name does not do."""
    (tmp_path / "line.key").write_text("st-1:secret", encoding="utf-8")
    text = f'name = "b"\n[devices]\n{table}\n[line]\nurl = "http://127.0.0.1:9"\nkey_file = "line.key"\n'
    (tmp_path / "station.toml").write_text(text + '[[lane]]\nnumber = 1\nport = "sim://BC28?speed=100"\n')
    options = ("--api", "generic", "--server", "http://127.0.0.1:9", "--product-id", "1000")
    _, (verdict,) = run(*options, units=1, ATOTA_ACCESS_KEY=KEY)
    assert sentence in verdict["sentence"]


def test_a_station_run_brings_its_records_to_the_line(line: Line, tmp_path: Path, run: Run) -> None:
    """`atota station run` with a simulated module; the line's yield counts it when the run is over."""
    package = build_package(model="BC28", base="BC28JAR01A03", target="BC28JAR01A05", size=4096)
    (tmp_path / "package.bin").write_bytes(package)
    (tmp_path / "line.key").write_text(line.key("bench-7"), encoding="utf-8")
    file = tmp_path / "station.toml"
    file.write_text(
        f"""
name = "bench-7"
[work]
command = "flash"
package = "package.bin"
md5 = "{hashlib.md5(package, usedforsecurity=False).hexdigest()}"
target = "BC28JAR01A05"
batch = "B-9"
[line]
url = "{line.url}"
key_file = "line.key"
[[lane]]
number = 1
port = "sim://BC28?speed=60"
""",
        encoding="utf-8",
    )
    code, (verdict,) = run(units=1)
    assert code == 0
    rows = line.rows
    assert [document["id"] for *_, document in rows] == [verdict["record_id"]]
    with line.store.transaction() as session:
        result = figures.batch_figures(session, "B-9")
        name = session.value("SELECT station FROM line.record")
    assert (result.units, result.passed, result.first_pass_yield, name) == (1, 1, 1.0, "bench-7")
