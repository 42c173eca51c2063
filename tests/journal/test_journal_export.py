"""Records as files: every field is there, and nothing in them does anything to a spreadsheet."""

import csv
import io
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from atota.journal.export import as_csv, columns, json_lines
from atota.journal.model import Record
from tests.journal.making import IMEI, filled


def table(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


EMPTY = Record(id="r-1", run="r", attempt=1, outcome="updated", exit_code=0, started_at="a", ended_at="b")


def test_json_lines_are_the_records(path: Path) -> None:
    records = filled(path)
    read = [msgspec.json.decode(line, type=Record) for line in json_lines(records).splitlines()]
    assert read == records
    assert json_lines([]) == b""


def test_csv_has_one_flat_row_a_record(path: Path) -> None:
    done, failed, cut_off = table(as_csv(filled(path)))
    assert list(done) == columns()
    assert (done["imei"], done["outcome"], done["duration_ms"]) == (IMEI, "updated", "162620")
    assert (done["package_size"], done["package_sha256"], done["written_done"]) == (
        "40960",
        "1" * 64,
        "40960",
    )
    assert done["stages"].startswith("open done 120 ms; identify done 1900 ms; write done 15000 ms")
    assert done["told"] == "101: package downloaded; 201: upgraded; version BC28JAR01A05"
    assert (done["error_message"], done["version_after"]) == ("", "BC28JAR01A05")
    assert (failed["error_code"], failed["transcript_sha256"]) == ("write", "a" * 64)
    assert cut_off["stages"].endswith("write started -")
    assert as_csv([]).decode().strip().split(",") == columns()


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_no_text_becomes_a_formula_and_none_is_lost(text: str) -> None:
    (row,) = table(as_csv([msgspec.structs.replace(EMPTY, model=text, imei="=1+1")]))
    assert row["imei"] == "'=1+1"
    assert row["model"].removeprefix("'") == text.removeprefix("'")
    assert not row["model"].startswith(("=", "+", "-", "@", "\t", "\r"))
