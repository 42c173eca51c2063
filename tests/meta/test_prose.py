"""The prose rules that a program can check, room by room, and the subjects of the commits."""

import subprocess
from pathlib import Path

import pytest

from tests.meta.prose import SUBJECT_LINE, problems
from tests.meta.sources import PACKAGE, ROOT, name_of

SINCE = "4d246d0"
"""The last commit before the rule for subjects."""


def rooms() -> dict[str, list[Path]]:
    """Return the Python files of each room, of the ground and of the scripts."""
    folders = {path.name: sorted(path.rglob("*.py")) for path in PACKAGE.iterdir() if path.is_dir()}
    scripts = [
        path for path in (ROOT / "scripts").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    python = [
        path
        for path in scripts
        if path.suffix == ".py" or path.read_bytes().startswith(b"#!/usr/bin/env python3")
    ]
    return {name: files for name, files in folders.items() if files} | {
        "ground": sorted(PACKAGE.glob("*.py")),
        "scripts": sorted(python),
    }


@pytest.mark.parametrize("room", sorted(rooms()))
def test_the_prose_of_a_room_keeps_the_rules(room: str) -> None:
    offences = [
        f"{name_of(path)}:{line}: {problem}"
        for path in rooms()[room]
        for line, problem in sorted(set(problems(path.read_text("utf-8"))))
    ]
    assert offences == []


def test_all_rooms_are_looked_at() -> None:
    assert len(rooms()) > 15


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ('def f():\n    """Whether it is so."""', "rule 1"),
        ('def f():\n    """Returns a value."""', "rule 1"),
        ('text = "it is no number"', "rule 4"),
        ("x = 1  # nobody asks", "rule 3"),
        ("found = 1", "rule 5"),
        ("def f(told): ...", "rule 5"),
    ],
)
def test_an_offence_is_found(source: str, rule: str) -> None:
    assert [problem[:6] for _, problem in problems(source)] == [rule]


def test_good_prose_passes() -> None:
    source = 'def f(version):\n    """True if it is no longer in use."""\n    # The manual says so.\n'
    assert list(problems(source)) == []


def test_the_subjects_of_commits_name_an_area_and_fit_in_72_characters() -> None:
    ran = subprocess.run(
        ["git", "log", "--no-merges", "--format=%s", f"{SINCE}..HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if ran.returncode:
        pytest.skip("this checkout has no history")
    subjects = ran.stdout.splitlines()
    assert [text for text in subjects if not SUBJECT_LINE.fullmatch(text) or len(text) > 72] == []
