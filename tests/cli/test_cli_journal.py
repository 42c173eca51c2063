"""What update and flash leave behind: a record, a transcript of what failed, and what is still to be told."""

import hashlib
import re
from pathlib import Path

import pytest

from atota.errors import AtotaError
from tests.cli.running import BASE, KEY, PACKAGE, TARGET, Bench, Cli


@pytest.fixture(autouse=True)
def journal(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The journal that the environment names, after `cli` has cleaned that."""
    path = tmp_path / "data" / "journal.sqlite3"
    monkeypatch.setenv("ATOTA_JOURNAL", str(path))
    return path


TOKEN = re.compile(rb"ota_[0-9A-Za-z]{20}")
MD5 = hashlib.md5(PACKAGE, usedforsecurity=False).hexdigest()


def flash(package: Path, fault: str = "") -> tuple[str, ...]:
    return (
        "flash",
        str(package),
        "--md5",
        MD5,
        "--target",
        TARGET,
        "-p",
        f"sim://BC28?fault={fault}",
        "--json",
    )


def transcripts(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "data").rglob("*.transcript"))


def test_a_job_that_went_well_leaves_a_record_and_no_transcript(
    cli: Cli, package: Path, tmp_path: Path
) -> None:
    ran = cli(*flash(package))
    assert ran.code == 0
    assert (ran.result["transcript"], transcripts(tmp_path)) == (None, [])
    (record,) = cli("records", "list", "--json").result["records"]
    assert (record["id"], record["outcome"]) == (ran.result["record_id"], "updated")
    assert (record["version_before"], record["version_after"]) == (BASE, TARGET)
    assert record["transcript"] is None


def test_a_job_that_failed_leaves_its_transcript_and_says_where(
    cli: Cli, package: Path, tmp_path: Path
) -> None:
    ran = cli(*flash(package, "rollback"))
    assert ran.code == 12
    (left,) = transcripts(tmp_path)
    assert ran.result["transcript"] == str(left)
    assert str(left) in ran.err
    (record,) = cli("records", "list", "--json").result["records"]
    assert record["transcript"] == {
        "path": str(left),
        "sha256": hashlib.sha256(left.read_bytes()).hexdigest(),
    }
    assert record["version_after"] == BASE
    identified = cli("identify", "-p", f"replay://{left}", "--json")
    assert identified.result["module"]["version"] == BASE


def test_a_transcript_that_was_asked_for_stays(cli: Cli, package: Path, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted.transcript"
    ran = cli(*flash(package), "--transcript", wanted)
    assert (ran.code, ran.result["transcript"]) == (0, str(wanted))
    assert wanted.read_text().startswith("# atota transcript")


def test_no_secret_is_in_anything_that_a_job_leaves(cli: Cli, bench: Bench, tmp_path: Path) -> None:
    ran = cli("update", "-p", "sim://BC28?fault=rollback", "--yes", *bench.asking, ATOTA_ACCESS_KEY=KEY)
    assert ran.code == 12
    left = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert len(left) >= 2
    for path in left:
        held = path.read_bytes()
        assert not TOKEN.search(held), path
        assert KEY.encode() not in held
        assert b"sign=" not in held


def test_a_verdict_that_could_not_be_told_waits_and_is_told(cli: Cli, make_bench: object) -> None:
    assert callable(make_bench)
    bench = make_bench("http-500:8@progress+http-500:9@version")
    update = ("update", "-p", "sim://BC28", *bench.asking)
    ran = cli(*update, "--json", ATOTA_ACCESS_KEY=KEY)
    assert (ran.code, ran.result["outcome"]) == (14, "updated-unreported")
    shown = cli("report", "--json").result
    assert (shown["waiting"], shown["reports"][0]["target"]) == (1, TARGET)
    assert "1 waiting" in cli("report").err
    bench.server.platform.faults = type(bench.server.platform.faults)()
    told = cli("report", "--pending", *bench.asking[:4], "--json", ATOTA_ACCESS_KEY=KEY)
    assert (told.code, told.result["waiting"]) == (0, 0)
    assert [one["how"] for one in told.result["told"]] == ["delivered"]
    assert bench.state == "DONE"
    assert "nothing waits" in cli("report", "--pending").out


def test_a_report_that_cannot_be_told_now_is_kept(cli: Cli, make_bench: object) -> None:
    assert callable(make_bench)
    bench = make_bench("http-500@progress+http-500@version+http-500@tasking")
    cli("update", "-p", "sim://BC28", "--yes", *bench.asking, ATOTA_ACCESS_KEY=KEY)
    again = cli("report", "--pending", *bench.asking[:4], "--json", ATOTA_ACCESS_KEY=KEY)
    assert (again.code, again.result["outcome"], again.result["waiting"]) == (8, "server", 1)


def test_a_run_that_is_not_there_is_a_wrong_call(cli: Cli, package: Path) -> None:
    ran = cli(*flash(package), "--resume", "0123456789ab")
    assert (ran.code, ran.result["outcome"]) == (2, "usage")
    assert "0123456789ab" in ran.err


def test_a_journal_that_cannot_be_used_ends_it_before_anything_is_done(
    cli: Cli, package: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "journal.sqlite3"
    broken.write_text("this is no database, and long enough to be taken for one that is broken" * 20)
    ran = cli(*flash(package), "--journal", broken)
    assert (ran.code, ran.result["outcome"]) == (3, "bad-config")
    assert str(broken) in ran.err
    assert AtotaError.default_hint not in ran.err
    assert transcripts(tmp_path) == []
