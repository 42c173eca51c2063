"""The commands of the line in this process: README's and those of the help, against a real database."""

import io
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from atota.cli.line import LINE_GROUPS
from atota.cli.run import main
from atota.line.protocol import GrantRequest
from atota.line.tables import figures, quota
from scripts.first_day_parts.readme import commands
from tests.line.postgres import Postgres
from tests.line.servers import Line, sent
from tests.line.stations import imei_of, journal_in, write

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
WAITING = ("serve", "rebuild")
"""They go on until they are ended, and have tests of their own."""
Run = Callable[[str], tuple[int, str]]


@pytest.fixture
def run(
    postgres: Postgres,
    database: str,
    line: Line,
    tmp_path: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Run a command as if from a shell, beside a line with one station, one batch and one grant."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATOTA_DATABASE", postgres.url_of(database))
    (tmp_path / "devices.csv").write_text("product_id,dev_id\nP,1\nP,2\n", encoding="utf-8")
    with line.store.transaction() as session:
        quota.new_batch(session, "B-2026-118", 9)
    key = line.key("st-07")
    line.client(key).grant(GrantRequest(id="GRANT", batch="B-2026-118", count=3))
    with journal_in(folder) as journal:
        for number in range(3):
            write(journal, number, batch="B-2026-118", station="st-07")
        sent(line.outbox(journal, key))

    def one(text: str) -> tuple[int, str]:
        stdin, _, command = text.rpartition("|")
        words = shlex.split(command)[1:]
        if "--database" in words:
            index = words.index("--database")
            del words[index : index + 2]
        out = io.TextIOWrapper(io.BytesIO(), "utf-8")
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
            patch.setattr(sys, "argv", ["atota", *words])
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stdin", io.StringIO(stdin.replace("echo", "").strip() or "4711"))
            main()
        out.flush()
        assert isinstance(out.buffer, io.BytesIO)
        return int(ended.value.code or 0), out.buffer.getvalue().decode()

    return one


def test_every_command_of_the_readme_runs(run: Run) -> None:
    texts = [one.text for one in commands(README) if one.text.startswith("atota line ")]
    piped = re.findall(r"^(echo 4711 \| atota line [^#\n]+)", README, re.MULTILINE)
    assert piped
    texts += piped
    texts = [text for text in texts if text.split()[2] not in WAITING]
    assert len(texts) > 8
    for text in texts:
        code, _ = run(text)
        assert code == 0, text


@pytest.mark.parametrize(
    "example",
    [
        row.example
        for group, _, rows in LINE_GROUPS
        for row in rows
        if row.name not in WAITING and (group, row.name) != ("line person", "remove")
    ],
)
def test_every_example_of_the_help_works(run: Run, example: str) -> None:
    code, _ = run(f"{example} --json")
    assert code == 0


def test_an_account_is_added_listed_and_removed(run: Run) -> None:
    assert run("atota line person add wang --role boss")[0] == 2
    assert run("echo 12 | atota line person add wang")[0] == 2
    assert run("echo 1234 | atota line person add wang --role lead")[0] == 0
    assert "wang  lead" in run("atota line person list")[1]
    assert run("atota line person remove wang")[0] == 0
    assert run("atota line person remove wang")[0] == 2


def test_an_export_has_every_record_once_in_json_and_csv(run: Run, tmp_path: Path, line: Line) -> None:
    code, text = run("atota line export --batch B-2026-118")
    assert (code, len(text.splitlines())) == (0, 3)
    assert run("atota line export -o all.csv")[0] == 0
    rows = (tmp_path / "all.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 4
    assert rows[0].startswith("journal,seq,id,station,lane,batch,imei,")
    assert ",st-07,1,B-2026-118," in rows[1]
    assert run("atota line export -o nowhere/all.csv")[0] == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no devices"),
        ("imei\n1\n", "the column product_id is missing"),
        ("product_id;name\n1;2\n", "the column dev_id is missing"),
        ("product_id,dev_id\nP,\n", "line 2 is not a device"),
        ("product_id,dev_id\nP,1\nP,2\nP,1\n", "line 4 names the id 1 again, after line 2"),
        (f"product_id,dev_id,imei\nP,1,{imei_of(1)}\nP,2,{imei_of(1)}\n", "again, after line 2"),
        ("product_id,dev_id,imei\nP,1,12\n", "line 2 is not a device"),
    ],
)
def test_a_list_of_devices_that_is_wrong_is_refused_with_its_place(
    run: Run, tmp_path: Path, text: str, problem: str, line: Line
) -> None:
    (tmp_path / "bad.csv").write_text(text, encoding="utf-8")
    code, out = run("atota line devices import bad.csv --json")
    assert (code, problem in out) == (3, True)
    with line.store.transaction() as session:
        assert session.value("SELECT count(*) FROM line.device") == 0
        assert figures.totals(session)[0] == 3


def test_a_list_of_devices_from_a_spreadsheet_is_read_and_one_that_contradicts_the_line_is_refused_whole(
    run: Run, tmp_path: Path, line: Line
) -> None:
    """With a byte order mark, semicolons and quotes; then an id that is free is said to be bound."""
    bound = f'\ufeff"product_id";"dev_id";"imei"\r\nP;a;\r\n"P";"b";"{imei_of(1)}"\r\n'
    (tmp_path / "excel.csv").write_text(bound, encoding="utf-8", newline="")
    assert run("atota line devices import excel.csv")[0] == 0
    (tmp_path / "more.csv").write_text(f"product_id,dev_id,imei\nP,c,\nP,a,{imei_of(2)}\n", encoding="utf-8")
    code, out = run("atota line devices import more.csv --json")
    assert (code, "the device P/a cannot be bound" in out) == (13, True)
    (tmp_path / "other.csv").write_text(f"product_id,dev_id,imei\nP,d,{imei_of(1)}\n", encoding="utf-8")
    assert run("atota line devices import other.csv --json")[0] == 13
    with line.store.transaction() as session:
        rows = session.rows("SELECT id, imei, state FROM line.device ORDER BY id")
    assert rows == [("a", None, "free"), ("b", imei_of(1), "bound")]


def test_the_views_for_other_tools_agree_with_the_yield(run: Run, postgres: Postgres, database: str) -> None:
    assert run("atota line yield --batch B-2026-118")[0] == 0
    row = postgres.sql("SELECT units, passed, failed, first_passed FROM line.batch_yield", database=database)
    assert row == "3|3|0|3"
    assert postgres.sql("SELECT count(*) FROM line.attempt", database=database) == "3"
    assert postgres.sql("SELECT sum(passed) FROM line.lane_hour", database=database) == "3"
    assert postgres.sql("SELECT count(*) FROM line.pareto", database=database) == "0"
