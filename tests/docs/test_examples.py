"""The scripts of docs/examples: short, made of the public API, and every one runs without hardware."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.meta.sources import ROOT

FOLDER = ROOT / "docs" / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
PUBLIC = {"atota", "atota.update.events", "atota.at.events", "atota.at.parser", "atota.testing"}
"""The modules that semantic versioning covers (README), and those of the events that they hand over."""
OUTPUTS = {
    "identify": ("BC28 runs BC28JAR01A03 at 9600 baud", "method nfwupd"),
    "session": ("AT+CSQ: OK ['+CSQ:20,99']", "AT+NOTHING: ERROR []", "unsolicited: ['"),
    "update": ("write: 4096 bytes", "confirm: done", "updated: BC28JAR01A03 -> BC28JAR01A04"),
    "lanes": ("lane 1: updated: BC28JAR01A04, 1 restarts", "lane 3: updated: BC28JAR01A04, 2 restarts"),
    "test_reader": ("1 passed",),
}


def test_there_are_no_others() -> None:
    assert {path.stem for path in EXAMPLES} == set(OUTPUTS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_on_simulated_modules(path: Path, tmp_path: Path) -> None:
    how = ["-m", "pytest", "-q", "-p", "no:cacheprovider"] if path.stem.startswith("test_") else []
    ran = subprocess.run(
        [sys.executable, *how, str(path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [text for text in OUTPUTS[path.stem] if text not in ran.stdout] == [], ran.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_uses_the_public_interface(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert len(source.splitlines()) <= 42
    assert len((ast.get_docstring(tree) or "").split()) >= 15
    imported = {
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        if name.partition(".")[0] == "atota"
    }
    assert imported
    assert imported <= PUBLIC
