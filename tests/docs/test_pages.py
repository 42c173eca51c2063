"""The generated pages are current, and README's examples are what they claim to be."""

import re
import subprocess
import sys
from pathlib import Path

from atota.dialects import catalogue, loader
from atota.otaserver.faults import KNOWN
from atota.otaserver.model import Knobs, load
from atota.settings.board import decode_board
from atota.station.config import load_station
from tests.meta.sources import ROOT

PROFILES = ROOT / "docs" / "profiles"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_pages_are_current() -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "scripts" / "docs", "--check"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_every_profile_has_a_page_with_each_command_it_sends() -> None:
    from atota.dialects.model import sends

    assert {path.stem for path in PROFILES.glob("*.md")} == {*loader.names(), "README"}
    for name in loader.names():
        page = (PROFILES / f"{name}.md").read_text(encoding="utf-8")
        commands = sends(loader.load(name))
        assert [one.text for one in commands if f"`{one.text}`" not in page.replace("\\|", "|")] == []
        assert "not stated" not in page, "a command without a source"


def test_the_table_of_modules_has_every_row_of_the_catalogue() -> None:
    table = (ROOT / "docs" / "modules.md").read_text(encoding="utf-8")
    rows = [line for line in table.splitlines() if re.match(r"\|.*\d{3}/\d{5}", line)]
    assert len(rows) == len(catalogue.rows())
    assert all(f"| {row.manuf_code}/{row.model_code} |" in table for row in catalogue.rows())


def test_the_page_of_the_local_platform_has_every_fault_and_every_knob() -> None:
    page = (ROOT / "docs" / "platform.md").read_text(encoding="utf-8")
    assert [
        kind.syntax for kind in KNOWN.values() if f"`{kind.syntax}`" not in page.replace("\\|", "|")
    ] == []
    knobs = re.findall(r"(?m)^\| `(\w+)` \| `[^`]+` \| [^|]+ \| \S", page)
    assert knobs == list(Knobs.__struct_fields__)


def test_the_task_file_of_the_page_is_one_that_the_platform_takes(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "platform.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"(?ms)^```toml\n(.*?)^```$", page)
    (tmp_path / "app.bin").write_bytes(b"package")
    (tmp_path / "tasks.toml").write_text(text.replace("base64…", "a2V5"), encoding="utf-8")
    config = load(tmp_path, environ={"PLATFORM_KEY": "a2V5"})
    assert (len(config.tasks), len(config.devices), config.knobs.invalid_state) == (2, 1, 21)


def test_the_files_of_the_readme_are_right(tmp_path: Path) -> None:
    board, line = re.findall(r"(?ms)^```toml\n(.*?)^```$", README)
    assert decode_board(board, name="README.md").name == "bench-3"
    station = tmp_path / "station.toml"
    station.write_text(f'name = "bench"\n{line}[[lane]]\nnumber = 1\nport = "sim://BC28"\n', encoding="utf-8")
    table = load_station(station).file.line
    assert table is not None
    assert table.url.startswith("https://")


def test_the_methods_of_the_readme_are_those_of_the_profiles() -> None:
    cells = re.findall(r"(?m)^\| ((?:`[a-z-]+`(?:, )?)+) \|", README)
    methods = (loader.load(name).method for name in loader.names())
    assert {name for cell in cells for name in re.findall(r"[a-z-]+", cell)} == {
        method.kind for method in methods if method is not None
    }
