"""atota records list, show and export."""

import csv
import io
import json
from pathlib import Path

import msgspec
import pytest

from atota.clock import SimulatedClock
from atota.errors import Outcome, WriteFailed
from atota.journal.facts import ErrorFact
from atota.journal.model import Record
from atota.journal.store import Journal
from atota.values import Identity
from tests.cli.running import Cli
from tests.journal.making import IMEI, OTHER, filled, finish, opened, write_job


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Path:
    """A journal of three records, where the environment says; after `cli` has cleaned that."""
    path = tmp_path / "j.sqlite3"
    filled(path)
    monkeypatch.setenv("ATOTA_JOURNAL", str(path))
    return path


def ids(cli: Cli, *words: str) -> list[str]:
    ran = cli("records", "list", *words, "--json")
    assert ran.code == 0, ran.err
    return [record["id"][:8] + record["id"][-2:] for record in ran.result["records"]]


def test_list_shows_the_newest_first_with_masked_imeis(cli: Cli, journal: Path) -> None:
    ran = cli("records", "list")
    assert ran.code == 0
    head, *lines = [line.split() for line in ran.out.splitlines()]
    assert head == ["record", "ended", "module", "IMEI", "version", "outcome"]
    assert [line[0] for line in lines] == ["8b11aaaa-2", "8b11aaaa-1", "3f9c2a71-1"]
    assert [line[-1] for line in lines] == ["interrupted", "write-failed", "updated"]
    assert [line[-2] for line in lines] == ["BC28JAR01A03", "BC28JAR01A03", "BC28JAR01A05"]
    assert "49*********7518" in ran.out
    assert IMEI not in ran.out + ran.err


def test_list_for_programs_has_whole_records(cli: Cli, journal: Path) -> None:
    result = cli("records", "list", "--json").result
    records = [msgspec.convert(record, Record) for record in result["records"]]
    with Journal(journal, clock=SimulatedClock()) as opened_one:
        assert records == opened_one.records()
    assert records[-1].imei == IMEI
    assert (result["command"], result["journal"]) == ("records list", str(journal))


def test_list_filters(cli: Cli, journal: Path) -> None:
    newest, failed, done = ids(cli)
    assert ids(cli, "--imei", OTHER) == [newest, failed]
    assert ids(cli, "--outcome", "write-failed") == [failed]
    assert ids(cli, "--since", "2026-01-02") == [newest, failed]
    assert ids(cli, "--until", "2026-01-02") == [failed, done]
    assert ids(cli, "--since", "2026-01-02", "--until", "2026-01-02") == [failed]
    assert ids(cli, "--until", "2026-01-01T00:02") == []
    assert ids(cli, "--until", "2026-01-01T08:03+08:00") == [done]
    assert ids(cli, "--limit", "1") == [newest]
    assert ids(cli, "--outcome", "no-task") == []
    assert "no record fits" in cli("records", "list", "--outcome", "no-task").err


def test_list_for_people_says_when_there_are_more(cli: Cli, journal: Path) -> None:
    with Journal(journal, clock=SimulatedClock()) as more:
        for number in range(20):
            more.open_job(opened(f"more{number}")).verdict(Outcome.NO_TASK)
    ran = cli("records", "list")
    assert len(ran.out.splitlines()) == 1 + 20
    assert "the newest 20; --limit N shows more" in ran.err
    assert len(cli("records", "list", "--limit", "23").out.splitlines()) == 1 + 23
    assert len(ids(cli)) == 23


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--imei", "49x1"), "is not an IMEI"),
        (("--outcome", "upated"), "Did you mean updated"),
        (("--since", "yesterday"), "is not a date"),
        (("--until", "2026-13-01"), "is not a date"),
    ],
)
def test_a_filter_that_fits_nothing_at_all_is_wrong_usage(
    cli: Cli, journal: Path, words: tuple[str, ...], told: str
) -> None:
    for command in ("list", "export"):
        ran = cli("records", command, *words, "--json")
        assert (ran.code, ran.result["outcome"]) == (2, "usage")
        assert told in ran.err


def test_show_reads_like_a_page(cli: Cli, journal: Path) -> None:
    ran = cli("records", "show", "3f9c2a71")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "Record 3f9c2a71aaaa4d6f8f0b0c1d2e3f4a5b-1"
    assert lines[2] == "  updated: the new version was read back from the module  (exit 0)"
    assert lines[3] == "  2026-01-01 00:00:00 +00:00 to 2026-01-01 00:02:42 +00:00, 2 min 43 s"
    titles = [line for line in lines[1:] if line and not line.startswith(" ")]
    assert titles == [
        "Module",
        "Versions",
        "Package",
        "Port",
        "Job",
        "Stages",
        "Warnings",
        "Told to the platform",
    ]
    for line in (
        f"  IMEI              {IMEI}",
        "  before            BC28JAR01A03",
        "  after             BC28JAR01A05",
        f"  sha256            {'1' * 64}",
        "  rate              460800 baud",
        "  adapter           FTDI FT232R, serial number A50285BI",
        "  2026-01-01 00:00:21 +00:00  reboot    done       2 min 21 s",
        "  201: upgraded",
    ):
        assert line in lines
    assert all(line == line.rstrip() for line in lines)


def test_show_says_what_went_wrong_and_what_to_do_next(cli: Cli, journal: Path) -> None:
    failed = cli("records", "show", "8b11aaaa-1").out
    assert "  write-failed: the module refuses block 41: +CME ERROR: 4  (exit 9)\n" in failed
    assert "  tried: block 41 three times\n         a fresh write, twice\n" in failed
    assert "  next:  The module still runs its old firmware." in failed
    assert "  after             not read back\n" in failed
    assert "  transcript        /home/me/.local/share/atota/t.txt\n" in failed
    cut_off = cli("records", "show", "8b11aaaa-2").out
    assert "  interrupted: the program was killed in the stage write, or the power failed" in cut_off
    assert "write     cut off" in cut_off


def test_show_for_programs_is_the_document(cli: Cli, journal: Path) -> None:
    record = msgspec.convert(cli("records", "show", "3f9c", "--json").result["record"], Record)
    assert (record.imei, record.outcome) == (IMEI, "updated")


def test_an_id_that_fits_none_or_several_names_the_near_ones(cli: Cli, journal: Path) -> None:
    for name in ("8b11", "3f9d"):
        ran = cli("records", "show", name, "--json")
        assert (ran.code, ran.result["outcome"]) == (2, "usage")
        assert "8b11aaaa71aa4d6f8f0b0c1d2e3f4a5b-2" in ran.result["error"]["hint"]


def test_what_a_module_said_does_nothing_to_the_terminal(cli: Cli, journal: Path) -> None:
    with Journal(journal, clock=SimulatedClock()) as more:
        entry = more.open_job(opened("evil"))
        entry.fact(Identity(model="\x1b[2J[red]", manufacturer="[/]"))
        entry.stage("write", "failed", "\x07[bold]")
        entry.fact(ErrorFact.of(WriteFailed("\x1b]0;x\x07", hint="\x1b[1m", tried=("\x1b",))))
        entry.verdict(Outcome.WRITE_FAILED)
    for ran in (cli("records", "list"), cli("records", "show", "evil")):
        assert ran.code == 0, ran.err
        assert "\x1b" not in ran.out
        assert "\x07" not in ran.out
        assert "[red]" in ran.out


def test_export_writes_csv_or_json_lines_by_the_files_ending(cli: Cli, journal: Path, tmp_path: Path) -> None:
    for name in ("r.csv", "r.CSV"):
        ran = cli("records", "export", "-o", tmp_path / name, "--json")
        assert (ran.code, ran.result["count"], ran.result["output"]) == (0, 3, str(tmp_path / name))
        rows = list(csv.DictReader(io.StringIO((tmp_path / name).read_bytes().decode(), newline="")))
        assert [row["outcome"] for row in rows] == ["interrupted", "write-failed", "updated"]
        assert rows[2]["imei"] == IMEI
    assert cli("records", "export", "-o", tmp_path / "r.jsonl", "--imei", OTHER).out == ""
    documents = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [one["attempt"] for one in documents] == [2, 1]
    assert cli("records", "export", "-o", tmp_path / "r.txt", "--format", "csv").code == 0
    assert (tmp_path / "r.txt").read_text().startswith("id,run,attempt,outcome")


def test_export_without_a_file_writes_to_stdout_and_nothing_else(cli: Cli, journal: Path) -> None:
    plain = cli("records", "export", "--limit", "2")
    assert [one["attempt"] for one in plain.lines] == [2, 1]
    assert len(list(csv.DictReader(io.StringIO(cli("records", "export", "--format", "csv").out)))) == 3
    ran = cli("records", "export", "--json")
    assert [line["event"] for line in ran.lines] == ["begin", "record", "record", "record", "result"]
    assert ran.lines[3]["record"]["imei"] == IMEI


def test_an_export_that_cannot_be_is_refused(cli: Cli, journal: Path, tmp_path: Path) -> None:
    for words, code in (
        (("--format", "xml"), 2),
        (("--format", "csv", "--json"), 2),
        (("-o", str(tmp_path / "no" / "such" / "folder.csv")), 3),
    ):
        assert cli("records", "export", *words).code == code


def test_where_there_is_no_journal_list_and_export_say_where_it_would_be(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "data" / "atota" / "journal.sqlite3"
    ran = cli("records", "list")
    assert (ran.code, ran.out) == (0, "")
    assert f"the journal does not exist yet: the first job begins it at {path}" in ran.err
    assert cli("records", "list", "--json").result["records"] == []
    assert cli("records", "export", "--json").result["count"] == 0
    shown = cli("records", "show", "x", "--json")
    assert (shown.code, shown.result["outcome"]) == (2, "usage")
    assert not path.parent.exists()


def test_the_option_goes_before_the_variable_and_that_before_the_file(
    cli: Cli, journal: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config" / "atota" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('journal = "own.sqlite3"\n')

    def used(*words: object, **env: str) -> str:
        return str(cli("records", "list", *words, "--json", **env).result["journal"])

    assert used("--journal", tmp_path / "x") == str(tmp_path / "x")
    assert used() == str(journal)
    assert used(ATOTA_JOURNAL="") == str(config.parent / "own.sqlite3")


def test_a_file_that_is_no_journal_is_a_wrong_file(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a journal\n" * 100)
    for words in (("list",), ("show", "x"), ("export",)):
        ran = cli("records", *words, "--journal", path, "--json")
        assert (ran.code, ran.result["outcome"]) == (3, "bad-config")
        assert str(path) in ran.result["error"]["message"]


def test_reading_leaves_the_jobs_of_running_processes_alone(cli: Cli, journal: Path) -> None:
    clock = SimulatedClock()
    with Journal(journal, clock=clock) as running:
        entry = write_job(running, "running", clock)
        assert cli("records", "list").code == 0
        assert "has not ended" in cli("records", "show", "running").err
        assert finish(entry, clock).outcome == "updated"


def test_a_wrong_call_is_named_in_full(cli: Cli) -> None:
    assert cli("records", "show", "--json").result["command"] == "records show"
