"""CONTRIBUTING's examples: the two files of a method and its profile work as they stand there."""

import re
import subprocess
import sys
from pathlib import Path

from tests.meta.sources import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PLAY = r"""
import sys
from pathlib import Path

import atota.dialects.methods
import atota.fota

folder = Path(sys.argv[1])
atota.dialects.methods.__path__.append(str(folder / "atota/dialects/methods"))
atota.fota.__path__.append(str(folder / "atota/fota"))

from atota.dialects.registry import problems
from atota.errors import WriteFailed
from tests.fota.wire import ERROR, OK, Talk

DATA = b"OK\r\n\x00 package"
OPEN = f"AT+XFW={len(DATA)}\r".encode()
assert not problems()


def talk(*script):
    return Talk(str(folder / "example-y7.toml"), script, folder, DATA)


print(talk((OPEN, b"\r\n>"), (DATA, OK), (b"AT+XSTART\r", OK)).update())
print(talk((OPEN, ERROR)).failure(WriteFailed))
"""


def blocks() -> dict[str, str]:
    """The examples that are files, by the path in their first line."""
    return dict(re.findall(r"(?ms)^```(?:python|toml)\n# (\S+)\n(.*?)^```$", TEXT))


def test_the_examples_are_a_method_and_its_profile() -> None:
    files = ["atota/dialects/methods/one_shot.py", "atota/fota/one_shot.py", "example-y7.toml"]
    assert list(blocks()) == files


def test_the_method_of_the_example_updates_a_module(tmp_path: Path) -> None:
    for name, text in blocks().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PLAY, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "True\nthe module does not take the package: ERROR\n"


def test_it_names_only_files_that_exist() -> None:
    for document in (ROOT / "CONTRIBUTING.md", ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        text = re.sub(r"(?ms)^```.*?^```$", "", document.read_text(encoding="utf-8"))
        links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
        missing = [link for link in links if link and not (document.parent / link).exists()]
        assert missing == [], document
    scripts = re.findall(r"\./(scripts/[\w-]+)", TEXT)
    assert [name for name in scripts if not (ROOT / name).is_file()] == []
    paths = re.findall(r"`((?:atota|tests|boards)/[\w./-]+)`", TEXT)
    assert [path for path in paths if "NAME" not in path and not (ROOT / path).exists()] == []


def test_every_folder_of_tests_proves_something_in_its_table() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("test_*.py"))}
    assert {name for name in folders if f"`tests/{name}`" not in TEXT} == set()
