"""Records: found by filters, in local time, whole on request, as a page, and packed to give away."""

import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from atota.clock import SimulatedClock
from atota.errors import Outcome
from atota.journal.facts import StationFact, VersionsFact
from atota.journal.model import Opened
from atota.journal.store import Journal
from atota.transcript.identities import Identities
from atota.values import Digests, Identity
from tests.cli.running import PACKAGE, TARGET, Cli
from tests.journal.making import IMEI, OTHER, filled

MADE = (
    # run, port, board, IMEI, model, versions before and target, batch
    ("aa", "/dev/ttyUSB0", "bench-1", IMEI, "BC28", "BC28JAR01A03", "BC28JAR01A05", None),
    ("bb", "/dev/ttyUSB10", "bench-2", OTHER, "M5310-A", "M5310-A-MONH0S00", "M5310-A-MONH0S01", "B-1"),
    ("cc", "socket://[::1]:5000", None, "490154203237526", "M5310", "MONH0S00", "MONH0S01", "B-2"),
)


@pytest.fixture
def found(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The program, and a journal of three records."""
    path = tmp_path / "j.sqlite3"
    with Journal(path, clock=SimulatedClock()) as journal:
        for run, port, board, imei, model, before, target, batch in MADE:
            opened = Opened(run=run, attempt=1, command="update", port=port, board=board)
            entry = journal.open_job(opened)
            entry.fact(Identity(imei=imei, model=model, version=before))
            entry.fact(VersionsFact(before=before, target=target, expected=target))
            if batch is not None:
                entry.fact(StationFact(name="s", lane=1, batch=batch, serial=f"SN-{run}", operator="Li Wei"))
            entry.verdict(Outcome.NO_TASK)
    monkeypatch.setenv("ATOTA_JOURNAL", str(path))
    return cli


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        (("--model", "bc28"), "aa"),
        (("--model", "M5310"), "cc"),
        (("--model", "m5310*"), "cc bb"),
        (("--model", "*"), "cc bb aa"),
        (("--port", "/dev/ttyUSB0"), "aa"),
        (("--port", "ttyUSB10"), "bb"),
        (("--port", "/dev/ttyUSB*"), "bb aa"),
        (("--port", "socket://[::1]:5000"), "cc"),
        (("--port", "socket*"), "cc"),
        (("--port", "ttyUSB?"), ""),
        (("--board", "bench-2"), "bb"),
        (("--board", "Bench-*"), "bb aa"),
        (("--version", "BC28JAR01A03"), "aa"),
        (("--version", "M5310-A-MONH0S01"), "bb"),
        (("--version", "*MONH0S0*"), "cc bb"),
        (("--batch", "B-1"), "bb"),
        (("--imei", IMEI), "aa"),
        (("--imei", IMEI[-4:]), "aa"),
        (("--imei", OTHER[-6:]), "bb"),
        (("--imei", "0000"), ""),
        (("--model", "m5310*", "--batch", "B-2"), "cc"),
        (("--model", "BC28", "--board", "bench-2"), ""),
    ],
)
def test_records_are_found_by_each_filter_and_by_several(
    found: Cli, words: tuple[str, ...], runs: str
) -> None:
    ran = found("records", "list", *words, "--json")
    assert ran.code == 0, ran.err
    assert [record["run"] for record in ran.result["records"]] == runs.split()
    exported = found("records", "export", *words)
    assert [json.loads(line)["run"] for line in exported.out.splitlines()] == runs.split()


def test_an_imei_is_whole_on_the_screen_only_on_request(found: Cli) -> None:
    for command in (("records", "list"), ("identify", "-p", f"sim://BC28?imei={IMEI}")):
        assert IMEI not in found(*command).out
        assert IMEI in found(*command, "--show-imei").out


@pytest.fixture
def shanghai(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_times_on_the_screen_are_local_with_their_offset_and_utc_for_programs(
    cli: Cli, tmp_path: Path, shanghai: None
) -> None:
    journal = tmp_path / "j.sqlite3"
    filled(journal)
    listed = cli("records", "list", "--journal", journal)
    assert "2026-01-01 08:02 +08:00" in listed.out
    shown = cli("records", "show", "3f9c2a71", "--journal", journal).out
    assert "2026-01-01 08:00:00 +08:00 to 2026-01-01 08:02:42 +08:00" in shown
    assert "UTC" not in shown
    record = cli("records", "show", "3f9c2a71", "--journal", journal, "--json").result["record"]
    assert record["started_at"] == "2026-01-01T00:00:00.000Z"


def test_days_are_local_days_and_an_offset_is_taken_as_it_is_written(
    cli: Cli, tmp_path: Path, shanghai: None
) -> None:
    journal = tmp_path / "j.sqlite3"
    filled(journal)  # the first ended at 2026-01-01T00:02:42Z
    for since, number in (("2026-01-01T08:02", 3), ("2026-01-01T08:03", 2), ("2026-01-01T00:02:00Z", 3)):
        ran = cli("records", "list", "--since", since, "--journal", journal, "--json")
        assert len(ran.result["records"]) == number


def test_a_record_is_a_page_of_html_in_which_nothing_is_markup_of_others(cli: Cli, tmp_path: Path) -> None:
    journal, page = tmp_path / "j.sqlite3", tmp_path / "r.html"
    filled(journal)
    with Journal(journal, clock=SimulatedClock()) as open_one:
        entry = open_one.open_job(Opened(run="dd", attempt=1, command="update", port="<script>alert(1)"))
        entry.fact(Identity(imei=IMEI, model="<b>BC28"))
        entry.verdict(Outcome.NO_TASK)
    for name in ("3f9c2a71", "8b11aaaa-1", "dd-1"):
        ran = cli("records", "show", name, "--html", page, "--journal", journal)
        assert ran.code == 0, ran.err
        text = page.read_text(encoding="utf-8")
        assert text.startswith("<!DOCTYPE html>")
        assert text.count("<script") == text.count("<b>BC28") == text.count("http") == 0
    assert f"{page} was there already" in ran.err
    assert "&lt;b&gt;BC28" in text
    assert cli("records", "show", "8b11aaaa-1", "--html", page, "--journal", journal).code == 0
    failed = page.read_text(encoding="utf-8")
    for words in ("write-failed", "+CME ERROR: 4", "block 41 three times", "Check supply and wiring", OTHER):
        assert words in failed
    wrong = cli("records", "show", "dd-1", "--html", tmp_path / "no" / "r.html", "--journal", journal)
    assert wrong.code == 3


def test_a_bug_report_holds_the_job_and_no_identity(cli: Cli, package: Path, tmp_path: Path) -> None:
    md5 = Digests.of(PACKAGE).md5
    port = f"sim://BC28?imei={IMEI}&fault=refuse-start"
    failed = cli("flash", package, "--md5", md5, "--target", TARGET, "--yes", "-p", port, "--json")
    assert failed.code == 9
    journal = str(tmp_path / "data" / "atota" / "journal-simulated.sqlite3")
    out = tmp_path / "bug.zip"
    ran = cli("bugreport", failed.result["record_id"], "-o", out, "--journal", journal, "--json")
    assert ran.code == 0, ran.err
    with zipfile.ZipFile(out) as zipped:
        texts = {name.rpartition("/")[2]: zipped.read(name).decode() for name in zipped.namelist()}
    assert sorted(texts) == ran.result["files"]
    assert set(texts) == {
        "README.txt", "record.json", "record.txt", "transcript.txt", "doctor.json", "versions.json"
    }  # fmt: skip
    assert all(IMEI not in text for text in texts.values())
    assert "+CGSN:350000000000006" in texts["transcript.txt"]
    assert "AT+NFWUPD=5" in texts["transcript.txt"]
    document = json.loads(texts["record.json"])["record"]
    assert (document["outcome"], document["imei"]) == ("write-failed", "49*********7518")
    assert md5 in texts["record.json"]
    assert json.loads(texts["versions.json"])["python"].startswith("3.")


def test_a_masked_transcript_is_still_one(cli: Cli, tmp_path: Path) -> None:
    written = tmp_path / "t.transcript"
    port = f"sim://BC28?imei={IMEI}"
    assert cli("identify", "-p", port, "--transcript", written).code == 0
    masked = tmp_path / "masked.transcript"
    masked.write_text(Identities().masked_transcript(written.read_text()))
    assert IMEI in written.read_text()
    assert IMEI not in masked.read_text()
    assert masked.read_text().count("\n") == written.read_text().count("\n")
    assert cli("identify", "-p", f"replay://{masked}").code == 0


def test_a_station_s_people_and_labels_are_masked(found: Cli, tmp_path: Path) -> None:
    out = tmp_path / "bug.zip"
    assert found("bugreport", "bb-1", "-o", out).code == 0
    with zipfile.ZipFile(out) as zipped:
        text = "".join(zipped.read(name).decode() for name in zipped.namelist())
    assert "B-1" in text
    assert not any(word in text for word in ("Li Wei", "SN-bb", OTHER))


@pytest.mark.parametrize("words", [("nothing-like-it",), ("",)])
def test_a_bug_report_of_no_job_is_wrong_usage(found: Cli, words: tuple[str, ...]) -> None:
    assert found("bugreport", *words).code == 2


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("IMEI 490154203237518.", "IMEI 49*********7518."),
        ("+CIMI: 460001234567890", "+CIMI: 46*********7890"),
        ("+QCCID: 898600MFSSYYGXXXXXXP", "+QCCID: 89**************XXXP"),
        ("+CGSN: MPA19C1234567", "+CGSN: MP*******4567"),
        ("md5 75026826da8db28cc3df1497a83f67fc", "md5 75026826da8db28cc3df1497a83f67fc"),
        ("AT+NFWUPD=1,0,00112233445566778899AA", "AT+NFWUPD=1,0,00112233445566778899AA"),
        ("meter-77 and meter-770", "me**r-77 and meter-770"),
        ("20000 bytes, 1.4 s", "20000 bytes, 1.4 s"),
    ],
)
def test_an_identity_is_masked_and_nothing_else(text: str, masked: str) -> None:
    assert Identities(["meter-77", None, "x"]).masked(text) == masked


def test_an_identity_that_lines_cut_in_pieces_is_hidden() -> None:
    text = (
        "# atota transcript 1\n0.000 > AT+CGSN=1\\r\n0.100 < \\r\\n+CGSN:4901542\n0.200 > AT\\r\n"
        "0.300 < 03237518\\r\\n\n"
    )
    hidden = Identities().masked_transcript(text)
    assert hidden == (
        "# atota transcript 1\n0.000 > AT+CGSN=1\\r\n0.100 < \\r\\n+CGSN:3500000\n0.200 > AT\\r\n"
        "0.300 < 00000006\\r\\n\n"
    )
