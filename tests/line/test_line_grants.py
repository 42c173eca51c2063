"""Quotas, device ids and units: right with the network, without it, and after any loss."""

from pathlib import Path
from threading import Thread

import pytest

from atota.errors import LimitReached, Outcome, UsageError
from atota.line.escrow import Escrow, Wish
from atota.line.protocol import Claim, GrantRequest, Settlement
from atota.line.store import Session, Store
from atota.line.tables import figures, quota
from tests.line.servers import Line, sent
from tests.line.stations import imei_of, journal_in, write


def batch(store: Store, name: str = "B-1", size: int = 100) -> None:
    with store.transaction() as session:
        quota.new_batch(session, name, size)


def sums(store: Store, name: str = "B-1") -> tuple[int, int, int]:
    """Spent, granted and quota of a batch."""
    with store.transaction() as session:
        (state,) = figures.batches(session, name)
    return state.spent, state.granted, state.quota


def test_stations_are_granted_parts_of_a_quota_and_never_more(line: Line) -> None:
    batch(line.store, size=100)
    clients = [line.client(line.key(f"st-{number}")) for number in range(3)]
    granted = [
        client.grant(GrantRequest(id=f"g-{number}", batch="B-1", count=40)).granted
        for number, client in enumerate(clients)
    ]
    assert granted == [40, 40, 20]
    last = clients[0].grant(GrantRequest(id="g-9", batch="B-1", count=1))
    assert (last.granted, last.left) == (0, 0)
    assert "quota of 100" in last.why
    assert sums(line.store) == (0, 100, 100)


def test_a_repeated_request_gets_the_answer_that_was_lost(line: Line) -> None:
    batch(line.store)
    with line.store.transaction() as session:
        quota.import_devices(session, [("P", f"d{number:02}", None) for number in range(20)])
    client = line.client(line.key())
    request = GrantRequest(id="g-1", batch="B-1", count=30, product="P", devices=5)
    first, again = client.grant(request), client.grant(request)
    assert (
        (first.granted, first.device_ids)
        == (again.granted, again.device_ids)
        == (30, [f"d0{n}" for n in range(5)])
    )
    assert sums(line.store) == (0, 30, 100)
    with pytest.raises(LimitReached, match="another station"):
        line.client(line.key("st-2")).grant(GrantRequest(id="g-1", batch="B-1", count=30))


def test_a_request_without_an_id_is_a_wish_of_its_own(line: Line) -> None:
    batch(line.store)
    key = line.key()
    answers = [line.call("POST", "/v1/grants", {"batch": "B-1", "count": 30}, key=key)[1] for _ in range(2)]
    assert [answer["granted"] for answer in answers] == [30, 30]
    assert answers[0]["id"] != answers[1]["id"]
    assert sums(line.store) == (0, 60, 100)


def test_a_hundred_requests_at_once_never_exceed_the_quota_nor_share_a_device(line: Line) -> None:
    """The quota race: ten stations, each asking ten times and repeating every request."""
    batch(line.store, size=500)
    with line.store.transaction() as session:
        quota.import_devices(session, [("P", f"d{number:04}", None) for number in range(250)])
    answers: dict[str, tuple[int, tuple[str, ...]]] = {}
    failures: list[BaseException] = []

    def ask(station: str, key: str) -> None:
        client = line.client(key)
        try:
            for number in range(10):
                request = GrantRequest(id=f"{station}-{number}", batch="B-1", count=7, product="P", devices=3)
                for _ in range(2):
                    grant = client.grant(request)
                    answers[grant.id] = (grant.granted, tuple(grant.device_ids))
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    threads = [Thread(target=ask, args=(f"st-{n}", line.key(f"st-{n}"))) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(size for size, _ in answers.values()) == 500
    assert sums(line.store) == (0, 500, 500)
    devices = [device for _, leased in answers.values() for device in leased]
    assert len(devices) == len(set(devices)) == 250


def test_settlements_only_grow_and_returned_tickets_can_be_granted_again(line: Line) -> None:
    batch(line.store, size=10)
    client = line.client(line.key())
    client.grant(GrantRequest(id="g-1", batch="B-1", count=10))
    word = Settlement(id="g-1", batch="B-1", size=10, spent=4, returned=3)
    for said in (word, word, Settlement(id="g-1", batch="B-1", size=10, spent=2)):
        client.settle([said])
        assert sums(line.store) == (4, 7, 10)
    assert client.grant(GrantRequest(id="g-2", batch="B-1", count=9)).granted == 3
    with pytest.raises(LimitReached):
        client.settle([Settlement(id="g-1", batch="B-1", size=10, spent=8, returned=3)])
    assert sums(line.store) == (4, 10, 10)
    client.settle([Settlement(id="g-1", batch="B-1", size=10, spent=9)])  # a copy of the disk, perhaps
    assert sums(line.store) == (7, 10, 10)


def test_written_off_tickets_stay_granted_and_an_audit_row_says_why(line: Line) -> None:
    batch(line.store, size=10)
    client = line.client(line.key())
    client.grant(GrantRequest(id="g-1", batch="B-1", count=10))
    client.settle([Settlement(id="g-1", batch="B-1", size=10, spent=4)])
    with line.store.transaction() as session:
        assert quota.write_off(session, "g-1", "disk of st-1 burnt", "wang") == 6
        ((person, reason),) = session.rows("SELECT person, detail->>'reason' FROM line.audit")
        with pytest.raises(UsageError, match="no grant"):
            quota.write_off(session, "g-2", "x", "wang")
    assert (person, reason) == ("wang", "disk of st-1 burnt")
    assert sums(line.store) == (4, 10, 10)
    assert client.grant(GrantRequest(id="g-2", batch="B-1", count=1)).granted == 0
    client.settle([Settlement(id="g-1", batch="B-1", size=10, spent=7)])  # it was not lost after all
    with line.store.transaction() as session:
        assert session.row("SELECT spent, written_off FROM line.allotment") == (7, 3)


def test_a_closed_batch_grants_nothing_and_its_quota_never_falls_below_what_is_granted(line: Line) -> None:
    batch(line.store, size=10)
    client = line.client(line.key())
    client.grant(GrantRequest(id="g-1", batch="B-1", count=6))
    with line.store.transaction() as session:
        quota.set_state(session, "B-1", "closed")
    assert client.grant(GrantRequest(id="g-2", batch="B-1", count=1)).why == "the batch B-1 is closed"
    with pytest.raises(LimitReached, match="6 are granted already"):
        batch(line.store, size=5)
    batch(line.store, size=6)


def test_a_database_that_forgot_grants_grants_nothing_more(line: Line) -> None:
    """Restored from yesterday: the server's own memory tells, and so does any station's."""
    batch(line.store, size=10)
    client = line.client(line.key())
    grant = client.grant(GrantRequest(id="g-1", batch="B-1", count=4))

    def forget(session: Session) -> None:
        session.run("DELETE FROM line.allotment")
        session.run("UPDATE line.batch SET granted = 0")
        session.run("UPDATE line.state SET grants = 0")

    with line.store.transaction() as session:
        forget(session)
    refused = client.grant(GrantRequest(id="g-2", batch="B-1", count=10))
    assert refused.granted == 0
    assert "restored from a backup" in refused.why
    with line.store.transaction() as session:
        session.run("UPDATE line.state SET hold = '', identity = gen_random_uuid()")
    client.settle([Settlement(id="g-1", batch="B-1", size=4, spent=1)])
    assert sums(line.store) == (1, 4, 10)
    assert client.grant(GrantRequest(id="g-2", batch="B-1", count=10, identity=grant.identity)).granted == 6


def test_a_purse_is_filled_spent_offline_and_settled_later(line: Line, folder: Path) -> None:
    batch(line.store, size=12)
    with line.store.transaction() as session:
        quota.import_devices(session, [("P", f"d{number}", None) for number in range(4)])
    wish = Wish(batch="B-1", tickets=8, product="P", devices=3)
    with Escrow(folder / "purse") as escrow, journal_in(folder) as journal:
        outbox = line.outbox(journal, line.key(), escrow=escrow, wish=lambda: wish)
        sent(outbox)
        assert (escrow.held("B-1"), escrow.free_devices("P")) == (8, 3)
        assert [escrow.take("B-1", f"job-{number}") for number in range(9)] == [True] * 8 + [False]
        assert escrow.take("B-1", "job-3"), "a job that has a ticket keeps it"
        for number in range(6):
            escrow.spend(f"job-{number}")
        escrow.put_back("job-6")
        escrow.put_back("job-0")
        assert (escrow.held("B-1"), escrow.taken()) == (1, ["job-7"])
        assert escrow.device("P", imei_of(1)) == escrow.device("P", imei_of(1)) == "d0"
        client = line.client(line.key("st-1"))
        escrow.sync(client, outbox.identity, wish)
        assert sums(line.store) == (6, 12, 12)
        assert escrow.held("B-1") == 5
        escrow.give_up("B-1")
        escrow.sync(client, outbox.identity, Wish())
        assert sums(line.store) == (6, 7, 12)
    with line.store.transaction() as session:
        rows = session.rows("SELECT id, imei FROM line.device WHERE state = 'bound'")
    assert rows == [("d0", imei_of(1))]
    with Escrow(folder / "purse") as escrow:
        assert (escrow.held("B-1"), escrow.taken()) == (0, ["job-7"])


def test_a_device_id_is_bound_once(line: Line) -> None:
    with line.store.transaction() as session:
        assert (
            quota.import_devices(session, [("P", "d1", None), ("P", "d2", imei_of(7)), ("P", "d1", None)])
            == 2
        )
    client, other = line.client(line.key()), line.client(line.key("st-2"))
    client.grant(GrantRequest(id="g", product="P", devices=5))
    client.bind("P", "d1", imei_of(1))
    client.bind("P", "d1", imei_of(1))
    for wrong, device, imei in (
        (client, "d1", imei_of(2)),
        (other, "d2", imei_of(8)),
        (client, "d3", imei_of(3)),
    ):
        with pytest.raises(LimitReached, match="not one that this station may bind"):
            wrong.bind("P", device, imei)


def test_a_unit_that_was_done_elsewhere_is_refused_online_and_known_offline(line: Line, folder: Path) -> None:
    with (
        journal_in(folder, "a") as done,
        journal_in(folder, "b") as other,
        Escrow(folder / "purse") as escrow,
    ):
        write(done, 1, station="st-1", label="SN1")
        sent(line.outbox(done, line.key("st-1")))
        outbox = line.outbox(other, line.key("st-2"), escrow=escrow)
        sent(outbox)
        unit = escrow.done(imei_of(1))
        assert unit is not None
        assert (unit.station, unit.serial, unit.outcome) == ("st-1", "SN1", "updated")
        assert escrow.done(imei_of(2)) is None
        client = line.client(line.key("st-2"))
        refused = client.claim(Claim(imei=imei_of(1), job="j", lane=3))
        assert not refused.ok
        assert "was done by the station st-1" in refused.why
        assert client.claim(Claim(imei=imei_of(1), job="j", lane=3, again=True)).ok
        assert client.unit(imei_of(1)).state == "done"
        assert client.unit(imei_of(2)).state == "unknown"


def test_a_unit_in_work_elsewhere_is_refused_until_its_record_or_its_release(
    line: Line, folder: Path
) -> None:
    first, second = line.client(line.key("st-1")), line.client(line.key("st-2"))
    claim = Claim(imei=imei_of(1), job="j-1", lane=4)
    assert first.claim(claim).ok
    assert first.claim(claim).ok, "a repeated claim is the same one"
    refused = second.claim(Claim(imei=imei_of(1), job="j-2"))
    assert (refused.ok, "lane 4 of the station st-1" in refused.why) == (False, True)
    assert second.unit(imei_of(1)).state == "in-work"
    first.release(imei_of(1), "j-1")
    assert second.claim(Claim(imei=imei_of(1), job="j-2")).ok
    with journal_in(folder) as journal:
        write(journal, 1, station="st-2", outcome=Outcome.WRITE_FAILED)
        sent(line.outbox(journal, line.key("st-2")))
    assert first.claim(claim).ok


def test_a_unit_bound_to_another_serial_number_is_refused(line: Line, folder: Path) -> None:
    with journal_in(folder) as journal:
        write(journal, 1, station="st-1", label="SN1")
        sent(line.outbox(journal, line.key("st-1")))
    client = line.client(line.key("st-2"))
    for imei, serial, words in (
        (1, "SN2", "bound to the serial number SN1"),
        (2, "SN1", "bound to the module"),
    ):
        refused = client.claim(Claim(imei=imei_of(imei), serial=serial, job="j", again=True))
        assert (refused.ok, words in refused.why) == (False, True), refused
    assert client.claim(Claim(imei=imei_of(1), serial="SN1", job="j", again=True)).ok


def test_what_slips_through_offline_is_a_conflict_row(line: Line, folder: Path) -> None:
    """One IMEI done on two stations; one serial number on two modules; two numbers on one module."""
    with journal_in(folder, "a") as a, journal_in(folder, "b") as b:
        write(a, 1, station="a", label="SN1")
        write(a, 2, station="a", label="SN2")
        write(a, 4, station="a", label="SN4")
        write(b, 1, station="b", label="SN1")
        write(b, 3, station="b", label="SN2")
        write(b, 4, station="b", label="SN5")
        sent(line.outbox(a, line.key("a")))
        sent(line.outbox(b, line.key("b")))
    with line.store.transaction() as session:
        rows = figures.conflicts(session)
    kinds = {(row.kind, row.imei) for row in rows}
    assert {("updated-twice", imei_of(1)), ("two-modules", imei_of(3)), ("two-serials", imei_of(4))} <= kinds
    assert ("same-time", imei_of(1)) in kinds
    assert all(set(row.stations) == {"a", "b"} for row in rows)
    assert imei_of(2) not in {row.imei for row in rows}


def test_the_delta_brings_every_unit_whatever_the_pages_are(
    line: Line, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    from atota.line.tables import units

    monkeypatch.setattr(units, "DELTA", 5)
    with journal_in(folder) as journal:
        for number in range(150):
            write(journal, number)
        sent(line.outbox(journal, line.key()))
    client = line.client(line.key())
    after, more, seen = 0, True, []
    while more:
        page = client.units(after)
        seen += [unit.imei for unit in page.units]
        after, more = page.next, page.more
    assert sorted(seen) == [imei_of(number) for number in range(150)]
    assert client.units(after).units == []
