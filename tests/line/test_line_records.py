"""Records go from journals into the database: in order, once, whatever happens to requests and answers."""

import json
from pathlib import Path

import pytest

from atota.errors import Outcome
from tests.line.servers import Line, sent
from tests.line.stations import documents, imei_of, journal_in, write


def record(number: int, **more: object) -> dict[str, object]:
    return {"id": f"run{number}-1", "outcome": "updated", "imei": imei_of(number), "batch": "B", **more}


def records(first: int, last: int) -> list[dict[str, object]]:
    return [record(number) for number in range(first, last + 1)]


def post(
    line: Line, key: str, first: int, sending: object, journal: str = "j-1"
) -> tuple[int, dict[str, object]]:
    body = {"first_seq": first, "records": sending}
    return line.call("POST", f"/v1/journals/{journal}/records", body, key=key)


def test_the_rows_of_the_database_are_the_records_of_the_journals(line: Line, folder: Path) -> None:
    journals = [journal_in(folder, f"st-{number}") for number in (1, 2, 3)]
    for number, journal in enumerate(journals, 1):
        with journal:
            for job in range(70 * number):
                write(
                    journal, 1000 * number + job, outcome=Outcome.UPDATED if job % 7 else Outcome.WRITE_FAILED
                )
            sent(line.outbox(journal, line.key(f"st-{number}")))
            assert [row for row in line.rows if row[0] == journal.histories()[0].id] == documents(journal)
    assert len(line.rows) == 70 + 140 + 210


def test_a_batch_moves_the_cursor_and_a_repetition_moves_nothing(line: Line) -> None:
    key = line.key()
    assert post(line, key, 1, records(1, 5))[1]["next_seq"] == 6
    assert post(line, key, 1, records(1, 5))[1]["next_seq"] == 6
    assert post(line, key, 3, records(3, 8))[1]["next_seq"] == 9
    assert post(line, key, 6, records(6, 8))[1]["next_seq"] == 9
    assert [seq for _, seq, _ in line.rows] == list(range(1, 9))
    assert [document["id"] for *_, document in line.rows] == [f"run{number}-1" for number in range(1, 9)]


def test_a_gap_is_refused_with_the_right_number_and_stores_nothing(line: Line) -> None:
    key = line.key()
    post(line, key, 1, records(1, 2))
    status, answer = post(line, key, 4, records(4, 5))
    assert (status, answer["next_seq"], answer["error"]["code"]) == (409, 3, "line.gap")  # type: ignore[index]
    status, answer = post(line, key, 2, records(2, 2), journal="j-new")
    assert (status, answer["next_seq"]) == (409, 1)
    assert len(line.rows) == 2


def test_another_history_under_one_name_is_refused(line: Line) -> None:
    key = line.key()
    post(line, key, 1, records(1, 4))
    status, answer = post(line, key, 3, [record(3), record(99)])
    assert (status, answer["next_seq"], answer["error"]["code"]) == (409, 5, "line.fork")  # type: ignore[index]
    status, answer = post(line, key, 5, [record(5, previous="0" * 64)])
    assert (status, answer["error"]["code"]) == (409, "line.fork")  # type: ignore[index]
    assert len(line.rows) == 4
    with line.store.transaction() as session:
        assert session.value("SELECT forks FROM line.journal") == 2


def test_the_spelling_of_a_record_does_not_make_it_another_one(line: Line) -> None:
    key = line.key()
    post(line, key, 1, records(1, 2))
    spelled = json.dumps(
        {"records": [dict(reversed(one.items())) for one in records(1, 2)], "first_seq": 1}, indent=3
    )
    status, answer = line.call("POST", "/v1/journals/j-1/records", spelled.encode(), key=key)
    assert (status, answer["next_seq"]) == (200, 3)


@pytest.mark.parametrize(
    "bad",
    [
        "a text",
        17,
        None,
        {},
        {"outcome": "nonsense"},
        {"outcome": ["updated"]},
        {"outcome": "updated", "lane": 10**12},
        {"outcome": "updated", "ended_at": "yesterday"},
        {"outcome": "updated", "imei": "a\0b"},
        {"outcome": "updated", "note": "\ud800"},
    ],
    ids=repr,
)
def test_a_bad_record_goes_into_quarantine_with_its_text_and_stops_nothing(line: Line, bad: object) -> None:
    key = line.key()
    status, answer = post(line, key, 1, [record(1), bad, record(3)])
    assert (status, answer["next_seq"], answer["quarantined"]) == (200, 4, [2])
    assert post(line, key, 1, [record(1), bad, record(3), record(4)])[1]["next_seq"] == 5
    assert [seq for _, seq, _ in line.rows] == [1, 3, 4]
    with line.store.transaction() as session:
        ((seq, body),) = session.rows("SELECT seq, body FROM line.quarantine")
    assert seq == 2
    assert bytes(body) == json.dumps(bad).encode()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"first_seq": 0, "records": [{}]}', b'{"first_seq": 1, "records": []}', b"\xff"],
)
def test_a_request_that_is_none_is_refused_and_stores_nothing(line: Line, body: bytes) -> None:
    status, answer = line.call("POST", "/v1/journals/j-1/records", body, key=line.key())
    assert (status, answer["error"]["code"]) == (400, "line.bad-request")
    assert line.rows == []


def test_a_request_without_a_key_of_the_line_is_refused(line: Line) -> None:
    key = line.key()
    for wrong in (None, "st-1:", "st-1:guess", "st-2:guess", key + "x", "nonsense"):
        status, answer = line.call(
            "POST", "/v1/journals/j/records", {"first_seq": 1, "records": [{}]}, key=wrong
        )
        assert (status, answer["error"]["code"]) == (401, "line.key-refused"), wrong
    assert line.call("GET", "/v1/journals/j", key=key)[1]["next_seq"] == 1


def test_the_key_is_stored_as_a_digest_and_a_revoked_one_is_refused(line: Line) -> None:
    from atota.line.tables import stations

    key = line.key()
    with line.store.transaction() as session:
        stored = session.value("SELECT key_sha256 FROM line.station")
        assert key.partition(":")[2] not in stored
        stations.revoke(session, "st-1")
    assert line.call("GET", "/v1/journals/j", key=key)[0] == 401
    assert line.call("GET", "/v1/journals/j", key=line.key())[0] == 200


def test_bytes_that_are_no_text_go_into_quarantine_as_they_came(line: Line) -> None:
    key = line.key()
    body = b'{"first_seq": 1, "records": [{"outcome": "updated"}, {"outcome": "updated", "note": "\xff"}]}'
    assert line.call("POST", "/v1/journals/j-1/records", body, key=key)[1]["quarantined"] == [2]
    with line.store.transaction() as session:
        assert bytes(session.value("SELECT body FROM line.quarantine")).endswith(b'"\xff"}')


def test_records_quarantine_and_journals_cannot_be_taken_away_afterwards(line: Line) -> None:
    from atota.errors import ServerError

    post(line, line.key(), 1, [record(1), "bad"])
    for statement in (
        "UPDATE line.record SET outcome = 'updated'",
        "DELETE FROM line.quarantine",
        "DELETE FROM line.journal",
    ):
        with pytest.raises(ServerError, match="append-only"), line.store.transaction() as session:
            session.run(statement)
