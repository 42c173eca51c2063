"""The figures of a batch, against a count of the same records by hand."""

import random
import statistics
from collections import Counter
from pathlib import Path

import pytest

from atota.clock import SystemClock
from atota.line.store import Store
from atota.line.tables import figures, schema
from tests.line.postgres import Postgres
from tests.line.servers import Line
from tests.line.stations import imei_of

ENDS = ("updated", "write-failed", "old-version", "port")


def sent_attempts(line: Line, chance: random.Random) -> None:
    """Send attempts of few units by two stations; many end at the same moment."""
    for name in ("st-1", "st-2"):
        key = line.key(name)
        records = [
            {
                "outcome": chance.choice(ENDS),
                "imei": imei_of(chance.randrange(12)),
                "batch": chance.choice(("B", "B", "B", "other")),
                "ended_at": f"2026-01-01T08:00:0{chance.randrange(4)}Z",
                "duration_ms": chance.choice((None, chance.randrange(1000))),
            }
            for _ in range(60)
        ]
        body = {"first_seq": 1, "records": records}
        assert line.call("POST", f"/v1/journals/j-{name}/records", body, key=key)[0] == 200


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_of_a_batch_are_those_of_a_count_by_hand(line: Line, seed: int) -> None:
    sent_attempts(line, random.Random(seed))
    with line.store.transaction() as session:
        found = figures.batch_figures(session, "B")
        rows = session.rows(
            "SELECT unit, is_passed, is_countable, failure, duration_ms FROM line.record WHERE batch = 'B'"
            " ORDER BY at, journal, seq"
        )
    counted = [row for row in rows if row[2]]
    units: dict[str, list[bool]] = {}
    for unit, is_passed, *_ in counted:
        units.setdefault(unit, []).append(is_passed)
    assert len(units) == found.units > 5
    assert any(attempts[0] != attempts[-1] for attempts in units.values())
    assert found.passed == sum(attempts[-1] for attempts in units.values())
    assert found.failed == found.units - found.passed
    assert found.first_pass_yield == sum(attempts[0] for attempts in units.values()) / len(units)
    assert found.retested == sum(len(attempts) > 1 for attempts in units.values())
    assert (found.attempts, found.station_endings) == (len(counted), len(rows) - len(counted))
    assert {cause.key: cause.count for cause in found.pareto} == Counter(
        row[3] for row in counted if not row[1]
    )
    times = [row[4] for row in counted if row[4] is not None]
    assert found.cycle_median_ms == statistics.median_low(times)


def test_a_batch_without_records_has_zeros(line: Line) -> None:
    with line.store.transaction() as session:
        found = figures.batch_figures(session, "none")
    assert found == figures.BatchFigures(batch="none")


def test_tables_of_the_first_version_keep_their_rows_when_they_are_migrated(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, scripts = f"first_{abs(hash(tmp_path)) % 10**8}", schema.steps()
    postgres.sql(f"CREATE DATABASE {name}")
    with Store(postgres.url_of(name), clock=SystemClock()) as opened:
        monkeypatch.setattr(schema, "steps", lambda: scripts[:1])
        assert schema.migrate(opened) == (0, 1)
        with Line(opened, tmp_path / "state") as old:
            sent_attempts(old, random.Random(1))
        with opened.transaction() as session:
            before = figures.batch_figures(session, "B")
        monkeypatch.setattr(schema, "steps", lambda: scripts)
        assert schema.migrate(opened) == (1, len(scripts))
        with opened.transaction() as session:
            assert figures.batch_figures(session, "B") == before
        assert before.units > 5
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")
